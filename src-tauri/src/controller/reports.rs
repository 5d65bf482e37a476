//! Saving the story of a call as a file, for whoever wants to show it to somebody.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use visavis_engine::report::Privacy;

use super::{Controller, Shell};
use crate::view::ErrorView;

/// Somebody who has saved more reports than this has a folder to tidy up.
const MOST_NAMES: u32 = 1000;

impl<S: Shell> Controller<S> {
    /// Saves what happened in the present call, or in the one that has just ended, and says where. `open`: with the code,
    /// addresses and device names in it.
    ///
    /// # Errors
    /// When there is no call to tell of, or the disk refuses.
    pub fn save_report(&self, open: bool) -> Result<String, ErrorView> {
        let privacy = if open { Privacy::Open } else { Privacy::Private };
        let report = self.lock().running.report.as_ref().map(|report| report.to_json(&self.identity.version, privacy));
        let report = report.ok_or_else(|| ErrorView {
            code: "no-report".to_owned(),
            text: "There is no call to report on.".to_owned(),
            field: None,
        })?;
        let folder = self.shell.downloads();
        let path = write(&folder, &format!("{report:#}\n")).map_err(|error| ErrorView {
            code: "not-saved".to_owned(),
            text: format!("The report couldn't be saved in {}: {error}.", folder.display()),
            field: None,
        })?;
        Ok(path.display().to_string())
    }
}

/// Into a file of its own: nothing that is there is overwritten.
fn write(folder: &Path, content: &str) -> io::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    for number in 1..MOST_NAMES {
        let path = folder.join(format!("visavis-report-{number}.json"));
        match File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(content.as_bytes())?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::other("there are too many reports already"))
}
