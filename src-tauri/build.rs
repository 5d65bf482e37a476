//! Gives Tauri its context, with the commands named, so that none is callable that the window doesn't need.

fn main() {
    #[cfg(feature = "desktop")]
    desktop();
}

#[cfg(feature = "desktop")]
fn desktop() {
    let commands = tauri_build::AppManifest::new().commands(&[
        "get_view",
        "start_call",
        "join_call",
        "again",
        "hang_up",
        "dismiss",
        "set_microphone",
        "set_camera",
        "save_settings",
        "ask_keychain",
        "list_devices",
        "check_servers",
        "stop_check",
        "copy_text",
        "save_report",
        "video_endpoint",
    ]);
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("src-tauri/capabilities/*.json")
        .windows_attributes(
            tauri_build::WindowsAttributes::new_without_app_manifest()
                .app_manifest(include_str!("windows/visavis.manifest")),
        )
        .app_manifest(commands);
    if let Err(error) = tauri_build::try_build(attributes) {
        println!("cargo::error={error:#}");
    }
}
