//! What must be in the environment before GTK starts.

/// WebKitGTK's DMA-BUF renderer needs a GPU: without one it gives 13 pictures a second where drawing in software gives
/// 30, and on NVIDIA's driver it can show nothing at all. Whoever has set the variable knows better.
#[cfg(target_os = "linux")]
pub(super) fn prepare() {
    const VARIABLE: &str = "WEBKIT_DISABLE_DMABUF_RENDERER";
    let no_gpu = !std::path::Path::new("/dev/dri").exists();
    let nvidia = std::path::Path::new("/proc/driver/nvidia").exists();
    if std::env::var_os(VARIABLE).is_none() && (no_gpu || nvidia) {
        set(VARIABLE, "1");
    }
}

#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "the environment is how WebKitGTK is configured")]
fn set(variable: &str, value: &str) {
    // SAFETY: main calls this before it starts any other thread, so nobody reads the environment at the same time.
    unsafe { std::env::set_var(variable, value) };
}

#[cfg(not(target_os = "linux"))]
pub(super) const fn prepare() {}
