//! The devices of this machine, listed.

use std::fmt::Write as _;
use std::io::Write;

use anyhow::Result;
use serde_json::json;
use visavis_engine::device::{DeviceInfo, list_devices};

use crate::exit::Exit;

/// Prints them; problems in finding them are part of the list.
pub(crate) fn list(as_json: bool) -> Result<Exit> {
    let found = list_devices();
    let text = if as_json {
        let items = |list: &[DeviceInfo]| -> Vec<_> {
            list.iter().map(|d| json!({"id": d.id, "name": d.name, "default": d.is_default})).collect()
        };
        json!({
            "cameras": items(&found.cameras), "microphones": items(&found.microphones),
            "speakers": items(&found.speakers), "problems": found.problems,
        })
        .to_string()
    } else {
        let mut text = String::new();
        for (title, list) in
            [("Cameras", &found.cameras), ("Microphones", &found.microphones), ("Speakers", &found.speakers)]
        {
            writeln!(text, "{title}:")?;
            if list.is_empty() {
                writeln!(text, "  none found")?;
            }
            for device in list {
                let default = if device.is_default { " (default)" } else { "" };
                writeln!(text, "  {}{default}\n    --{} {:?}", device.name, option(title), device.id)?;
            }
        }
        for problem in &found.problems {
            writeln!(text, "Problem: {problem}")?;
        }
        text.trim_end().to_owned()
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(Exit::Done)
}

fn option(title: &str) -> &'static str {
    match title {
        "Cameras" => "camera",
        "Microphones" => "mic",
        _ => "speaker",
    }
}
