//! What the window may ask for: one line of intent each.

use tauri::State;
use tauri_plugin_clipboard_manager::ClipboardExt;

use crate::desktop::AppController;
use crate::view::{AppView, DevicesView, ErrorView, SettingsView, VideoEndpoint};

type App<'a> = State<'a, AppController>;

#[tauri::command]
pub(super) fn get_view(app: App<'_>) -> AppView {
    app.view()
}

#[tauri::command]
pub(super) async fn start_call(app: App<'_>, relay_only: bool) -> Result<(), ErrorView> {
    app.start_call(relay_only).await;
    Ok(())
}

#[tauri::command]
pub(super) async fn join_call(app: App<'_>, code: String, relay_only: bool) -> Result<(), ErrorView> {
    app.join_call(&code, relay_only)
}

#[tauri::command]
pub(super) async fn again(app: App<'_>) -> Result<(), ErrorView> {
    app.again().await;
    Ok(())
}

#[tauri::command]
pub(super) fn hang_up(app: App<'_>) {
    app.hang_up();
}

#[tauri::command]
pub(super) fn dismiss(app: App<'_>) {
    app.dismiss();
}

#[tauri::command]
pub(super) fn set_microphone(app: App<'_>, on: bool) {
    app.set_microphone(on);
}

#[tauri::command]
pub(super) fn set_camera(app: App<'_>, on: bool) {
    app.set_camera(on);
}

#[tauri::command]
pub(super) async fn save_settings(app: App<'_>, settings: SettingsView) -> Result<SettingsView, ErrorView> {
    let app = AppController::clone(&app);
    app.save_settings(settings).await
}

#[tauri::command]
pub(super) async fn ask_keychain(app: App<'_>) -> Result<(), ErrorView> {
    app.ask_keychain();
    Ok(())
}

#[tauri::command]
pub(super) async fn list_devices(app: App<'_>) -> Result<DevicesView, ErrorView> {
    let app = AppController::clone(&app);
    tauri::async_runtime::spawn_blocking(move || app.list_devices()).await.map_err(|error| failed(&error))
}

#[tauri::command]
pub(super) async fn check_servers(app: App<'_>, settings: SettingsView) -> Result<(), ErrorView> {
    app.check_servers(&settings)
}

#[tauri::command]
pub(super) fn stop_check(app: App<'_>) {
    app.stop_check();
}

#[tauri::command]
pub(super) async fn copy_text(app: App<'_>, text: String) -> Result<(), ErrorView> {
    app.shell().app().clipboard().write_text(text).map_err(|error| failed(&error))
}

#[tauri::command]
pub(super) async fn save_report(app: App<'_>, open: bool) -> Result<String, ErrorView> {
    app.save_report(open)
}

#[tauri::command]
pub(super) fn video_endpoint(app: App<'_>) -> Result<VideoEndpoint, ErrorView> {
    app.video_endpoint()
}

fn failed(error: &dyn std::fmt::Display) -> ErrorView {
    ErrorView { code: "failed".to_owned(), text: error.to_string(), field: None }
}
