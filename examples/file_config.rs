//! How do I keep my `logging.ini`?

use tracing::{debug, info};
use tracing_strata::config::{Config, Logging};
use tracing_subscriber::prelude::*;

const LOGGING_INI: &str = "
[loggers]
keys=root,worker

[handlers]
keys=console,file

[formatters]
keys=line

[logger_root]
level=WARNING
handlers=console

[logger_worker]
level=DEBUG
handlers=file
qualname=shop.worker
propagate=0

[handler_console]
class=StreamHandler
formatter=line
args=(sys.stdout,)

[handler_file]
class=handlers.TimedRotatingFileHandler
formatter=line
args=('%(logdir)s/worker.log', 'midnight')
kwargs={'backupCount': 7, 'utc': True}

[formatter_line]
format=%(levelname)s %(name)s %(message)s
";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let logs = std::env::temp_dir().join(format!("strata-file-config-{}", std::process::id()));
    std::fs::create_dir_all(&logs)?;

    // `args` and `kwargs` are literals: nothing of the file is evaluated.
    let directory = logs.display().to_string();
    let config = Config::from_ini_with(LOGGING_INI, [("logdir", &*directory)])?;
    let logging = Logging::builder().build(&config)?;
    tracing_subscriber::registry().with(logging.layer()).init();
    debug!(target: "shop.worker", "job 7 done");
    info!("below the root's level");
    assert_eq!(std::fs::read_to_string(logs.join("worker.log"))?, "DEBUG shop.worker job 7 done\n");

    // What is wrong is told at once, with its place.
    let wrong = LOGGING_INI.replace("keys=console,file", "keys=console,fiel").replace("(sys.stdout,)", "(open('x'),)");
    let error = Config::from_ini_with(&wrong, [("logdir", &*directory)]).unwrap_err();
    println!("{error}");
    assert!(error.to_string().contains("did you mean \"handler_file\"?"));
    std::fs::remove_dir_all(logs)?;
    Ok(())
}
