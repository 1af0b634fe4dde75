fn main() {
    napi_build::setup();
    // Node unloads an addon with its last worker, while our parked threads still run its code: keep it mapped.
    if std::env::var("CARGO_CFG_TARGET_OS").as_deref() == Ok("linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-z,nodelete");
    }
}
