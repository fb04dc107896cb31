//! The hand-over is built of the model's locks.

fn main() {
    println!("cargo::rustc-cfg=strata_loom");
}
