//! A restore environment: binary, tagged, or the text form.
#![no_main]

use exutil::format::restore_env::{EnvSource, read};
use libfuzzer_sys::fuzz_target;

fn check(data: &[u8]) {
    let Ok(mut environment) = read(data) else {
        return;
    };
    let text = environment.to_text();
    environment.source = EnvSource::Text;
    environment.other.clear();
    assert_eq!(read(text.as_bytes()), Ok(environment));
}

fuzz_target!(|data: &[u8]| {
    check(data);
    // So that something is found, and the rest is looked at.
    check(&[b"C:\\a.edb\0", data].concat());
    check(
        &[
            b"# exutil restore environment\nformat = 'exutil restore environment 1'\n",
            data,
        ]
        .concat(),
    );
});
