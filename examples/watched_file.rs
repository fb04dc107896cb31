//! A file that somebody else rotates: what logrotate does, played three ways, and where the records are afterwards.

use std::{error::Error, fs, path::Path};

use tracing::info;
use tracing_strata::{format::Text, output::LogFile, prelude::*, sink::ReopenPolicy};
use tracing_subscriber::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let logs = std::env::temp_dir().join(format!("strata-watched-file-{}", std::process::id()));
    let (path, old) = (logs.join("shop.log"), logs.join("shop.log.1"));
    let file =
        LogFile::builder(&path).watch(ReopenPolicy::each_record()).create_dirs(true).format(Text::plain()).build()?;
    let handle = file.as_sink().clone();
    tracing_subscriber::registry().with(file.into_layer()).init();

    // `create`: the file is renamed and a new one made. The next record is in the new one.
    info!("one");
    fs::rename(&path, &old)?;
    fs::File::create(&path)?;
    info!("two");
    shows(&old, &["one"])?;
    shows(&path, &["two"])?;

    // `copytruncate`: copied and cut to nothing. The next record is at its new end.
    fs::copy(&path, &old)?;
    fs::File::options().write(true).open(&path)?.set_len(0)?;
    info!("three");
    shows(&old, &["two"])?;
    shows(&path, &["three"])?;

    // Somebody has cleaned up, with the directory.
    fs::remove_dir_all(&logs)?;
    info!("four");
    shows(&path, &["four"])?;

    // An application that gets a signal after the rotation can do it by itself, with any file.
    fs::rename(&path, &old)?;
    handle.reopen()?;
    info!("five");
    shows(&path, &["five"])?;

    fs::remove_dir_all(&logs)?;
    Ok(())
}

/// The file has these messages and no others.
fn shows(path: &Path, messages: &[&str]) -> Result<(), Box<dyn Error>> {
    let text = fs::read_to_string(path)?;
    println!("{}: {}", path.file_name().unwrap_or_default().display(), text.trim_end());
    assert!(text.lines().count() == messages.len());
    assert!(text.lines().zip(messages).all(|(line, message)| line.ends_with(message)), "{text}");
    Ok(())
}
