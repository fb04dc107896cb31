//! Any document in the four syntaxes: an error or a configuration, which reads back from its JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tracing_strata::config::Config;

fuzz_target!(|text: &str| {
    for read in [Config::from_json, Config::from_yaml, Config::from_toml, Config::from_ini] {
        let Ok(config) = read(text) else { continue };
        let json = config.to_json();
        let again = Config::from_json(&json).unwrap_or_else(|error| panic!("{error}: {json} of {text:?}"));
        assert_eq!(again.to_json(), json, "{text:?}");
        drop(config.expand(|name| Some(name.to_lowercase())));
    }
});
