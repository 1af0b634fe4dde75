use std::{fs::File, io, path::PathBuf};

use super::sampler::{Counter, Failure};

/// A whole number in a file, such as powercap's `energy_uj`. The file stays open: opening one costs several times what reading it does.
pub struct CounterFile {
    path: PathBuf,
    file: Option<File>,
    last: Option<f64>,
}

impl CounterFile {
    pub fn new(path: PathBuf) -> Self {
        Self { path, file: None, last: None }
    }

    fn read_number(&mut self) -> Result<f64, Failure> {
        // u64 has 20 digits; of what is longer this much is shown.
        let mut text = [0; 40];
        let length = self.read_text(&mut text).map_err(|error| {
            error.raw_os_error().map_or_else(|| Failure::Text(error.to_string()), Failure::System)
        })?;
        let text = String::from_utf8_lossy(text[..length].trim_ascii());
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = if digits { text.parse().ok() } else { None };
        number.ok_or_else(|| Failure::Text(format!("holds {text:?}, not a number")))
    }

    fn read_text(&mut self, text: &mut [u8]) -> io::Result<usize> {
        if let Some(file) = &self.file {
            let read = read_at_start(file, text);
            if read.is_ok() {
                return read;
            }
        }
        // Not open yet, or no more: a driver that was loaded again has another file of the same name.
        self.file = None;
        read_at_start(self.file.insert(File::open(&self.path)?), text)
    }
}

impl Counter for CounterFile {
    fn read(&mut self) -> Result<f64, Failure> {
        let mut read = self.read_number();
        // A file that another took the place of (a folder shared with a virtual machine is written so) stands still for ever.
        if (read.is_err() || read.as_ref().ok() == self.last.as_ref())
            && self.file.as_ref().is_some_and(was_removed)
        {
            self.file = None;
            read = self.read_number();
        }
        self.last = read.as_ref().ok().copied();
        read
    }
}

#[cfg(unix)]
fn read_at_start(file: &File, text: &mut [u8]) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, text, 0)
}

#[cfg(windows)]
fn read_at_start(file: &File, text: &mut [u8]) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, text, 0)
}

#[cfg(unix)]
fn was_removed(file: &File) -> bool {
    use std::os::unix::fs::MetadataExt;
    file.metadata().is_ok_and(|metadata| metadata.nlink() == 0)
}

#[cfg(windows)]
fn was_removed(_: &File) -> bool {
    false
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::fs;

    /// A folder of this test's own, removed at its end.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Self {
            let path = std::env::temp_dir().join(format!("bio-counter-{name}-{}", std::process::id()));
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn follows_a_file_that_changes_vanishes_returns_or_is_replaced() {
        let folder = Folder::new("life");
        let path = folder.0.join("energy_uj");
        fs::write(&path, "17\n").unwrap();
        let mut counter = CounterFile::new(path.clone());
        assert_eq!(counter.read(), Ok(17.0));
        fs::write(&path, "18446744073709551615\n").unwrap();
        assert_eq!(counter.read(), Ok(18_446_744_073_709_551_615.0));
        fs::remove_file(&path).unwrap();
        assert_eq!(counter.read(), Err(Failure::System(2)));
        fs::write(&path, "5").unwrap();
        assert_eq!(counter.read(), Ok(5.0));
        fs::write(folder.0.join("new"), "6").unwrap();
        fs::rename(folder.0.join("new"), &path).unwrap();
        assert_eq!(counter.read(), Ok(6.0));
    }

    #[test]
    fn says_what_stands_in_the_place_of_a_number() {
        let folder = Folder::new("words");
        let path = folder.0.join("energy_uj");
        let mut counter = CounterFile::new(path.clone());
        for (text, shown) in [
            ("", "\"\""),
            ("-5\n", "\"-5\""),
            ("1e9", "\"1e9\""),
            ("<busy>\n", "\"<busy>\""),
            ("1 2", "\"1 2\""),
        ] {
            fs::write(&path, text).unwrap();
            assert_eq!(counter.read(), Err(Failure::Text(format!("holds {shown}, not a number"))));
        }
        fs::write(&path, [0xff, 0xfe]).unwrap();
        assert!(matches!(counter.read(), Err(Failure::Text(_))));
    }

    #[test]
    fn a_folder_is_an_error_of_the_system() {
        assert_eq!(CounterFile::new(std::env::temp_dir()).read(), Err(Failure::System(21)));
    }
}
