//! `DELTASTEER_KERNEL` forces a variant, and an unknown one is refused by name.
#![allow(clippy::unwrap_used)] // A panic is how a test fails; its helpers are no `#[test]` that clippy knows.

use std::process::Command;

use deltasteer_temporal::Kernel;

/// What a process with that variable chooses; run by the tests below through their own binary.
#[test]
#[ignore = "run by the other tests in a process of its own"]
fn child() {
    match Kernel::choose() {
        Ok(kernel) => println!("chose {}.", kernel.name()),
        Err(error) => println!("refused: {error}"),
    }
}

fn child_says(variable: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "child", "--ignored", "--nocapture"]).env_remove("DELTASTEER_KERNEL");
    if let Some(value) = variable {
        command.env("DELTASTEER_KERNEL", value);
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn each_variant_can_be_forced() {
    let kernels = Kernel::available();
    assert_eq!(kernels.last().unwrap().name(), "portable");
    for kernel in &kernels {
        let said = child_says(Some(kernel.name()));
        assert!(said.contains(&format!("chose {}.", kernel.name())), "{said}");
    }
    for none in [None, Some("")] {
        let said = child_says(none);
        assert!(said.contains(&format!("chose {}.", kernels[0].name())), "{said}");
    }
}

#[test]
fn an_unknown_variant_is_refused_with_those_that_work() {
    let said = child_says(Some("mmx"));
    assert!(said.contains("DELTASTEER_KERNEL=mmx") && said.contains("portable"), "{said}");
}
