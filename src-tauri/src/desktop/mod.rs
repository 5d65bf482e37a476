//! The window, by Tauri.

mod commands;
mod graphics;
mod keychain;
mod shell;
mod signals;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use tauri::{App, Manager, WebviewUrl, WebviewWindowBuilder};

use crate::controller::{Controller, Identity};
use crate::desktop::shell::WindowShell;

pub use keychain::Keychain;

/// What the commands work on.
pub(crate) type AppController = std::sync::Arc<Controller<WindowShell>>;

/// Visavis: one-to-one video calls with a room code.
#[derive(Debug, Parser)]
#[command(name = "visavis", version)]
struct Args {
    /// Keep settings of their own under this name, for a second app on one machine
    #[arg(long, value_name = "NAME", value_parser = profile_name)]
    profile: Option<String>,
}

/// A profile's name becomes a folder's name.
fn profile_name(text: &str) -> Result<String, String> {
    let good =
        !text.is_empty() && text.len() <= 32 && text.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    if good { Ok(text.to_owned()) } else { Err("a profile's name has 1 to 32 letters, digits, - or _".to_owned()) }
}

/// Runs the app until its window is closed.
#[must_use]
pub fn main() -> ExitCode {
    let args = Args::parse();
    init_log();
    graphics::prepare();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    tauri::async_runtime::set(runtime.handle().clone());
    let built = tauri::Builder::default()
        .plugin(tauri_plugin_store::Builder::default().build())
        .plugin(tauri_plugin_clipboard_manager::init())
        .invoke_handler(tauri::generate_handler![
            commands::get_view,
            commands::start_call,
            commands::join_call,
            commands::again,
            commands::hang_up,
            commands::dismiss,
            commands::set_microphone,
            commands::set_camera,
            commands::save_settings,
            commands::ask_keychain,
            commands::list_devices,
            commands::check_servers,
            commands::stop_check,
            commands::copy_text,
            commands::save_report,
            commands::video_endpoint,
        ])
        .setup(move |app| set_up(app, args.profile))
        .build(tauri::generate_context!());
    match built {
        Ok(app) => {
            app.run(|app, event| {
                if let tauri::RunEvent::ExitRequested { .. } = event {
                    // The other side should see a hang-up, not a lost connection.
                    app.state::<AppController>().hang_up();
                    std::thread::sleep(std::time::Duration::from_millis(300));
                }
            });
            ExitCode::SUCCESS
        }
        Err(error) => fail(&error),
    }
}

fn set_up(app: &mut App, profile: Option<String>) -> Result<(), Box<dyn std::error::Error>> {
    let folder = folder(app, profile.as_deref())?;
    let identity = Identity { profile: profile.clone(), version: app.package_info().version.to_string() };
    let files = crate::settings::SettingsFiles::new(&folder);
    // The controller reads the file first and sets a damaged one aside; the store comes after it.
    let shell = WindowShell::new(app.handle().clone(), files.main().to_owned());
    let controller = tauri::async_runtime::block_on(Controller::new(shell, identity, Keychain, &folder))?;
    app.manage::<AppController>(controller);
    // An exit hangs up, see above; without this a signal would end the call without a word.
    let handle = app.handle().clone();
    tauri::async_runtime::spawn(async move {
        signals::told_to_end().await;
        handle.exit(0);
    });
    let title = profile.map_or_else(|| "Visavis".to_owned(), |name| format!("Visavis ({name})"));
    WebviewWindowBuilder::new(app, "main", WebviewUrl::default())
        .title(title)
        .inner_size(1100.0, 720.0)
        .min_inner_size(400.0, 560.0)
        .build()?;
    Ok(())
}

fn folder(app: &App, profile: Option<&str>) -> tauri::Result<PathBuf> {
    let base = app.path().app_config_dir()?;
    Ok(profile.map_or_else(|| base.clone(), |name| base.join(Path::new("profiles")).join(name)))
}

fn init_log() {
    use tracing_subscriber::EnvFilter;
    let filter = EnvFilter::try_from_env("VISAVIS_LOG").unwrap_or_else(|_| EnvFilter::new("visavis=info,warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
}

fn fail(error: &dyn std::fmt::Display) -> ExitCode {
    tracing::error!(%error, "Visavis couldn't start");
    ExitCode::FAILURE
}
