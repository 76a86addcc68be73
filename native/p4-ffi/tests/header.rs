//! The header says what the code does: compared by their text, and by C and C++ programs that are compiled,
//! linked with the library and run.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const NATIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(NATIVE).join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// `name(parameter: type, …) -> type` of each function, in C's types.
fn functions_of_the_header() -> BTreeSet<String> {
    let header = read("include/p4_core.h");
    let code: Vec<_> =
        header.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, code)| code)).collect();
    let code: Vec<_> =
        code.iter().flat_map(|part| part.lines()).filter(|line| !line.starts_with('#')).collect();
    let code = code.join(" ").replace("extern \"C\" {", " ");
    code.split(';')
        .map(one_line)
        .filter(|declaration| declaration.contains('('))
        .map(|declaration| {
            let (before, parameters) = declaration.split_once('(').expect("a parameter list");
            let (result, name) = split_name(before);
            let parameters: Vec<_> = parameters
                .trim_end_matches(')')
                .split(',')
                .filter(|parameter| parameter.trim() != "void")
                .map(|parameter| {
                    let (kind, name) = split_name(parameter);
                    format!("{name}: {kind}")
                })
                .collect();
            format!("{name}({}) -> {result}", parameters.join(", "))
        })
        .collect()
}

/// `const char *name` into `const char *` and `name`.
fn split_name(declaration: &str) -> (String, &str) {
    let declaration = declaration.trim();
    let start = declaration.rfind([' ', '*']).expect("a type and a name") + 1;
    (one_line(&declaration[..start].replace('*', " *")), &declaration[start..])
}

fn functions_of_the_code() -> BTreeSet<String> {
    let code = read("p4-ffi/src/lib.rs");
    let exported: Vec<_> = code.split("#[unsafe(no_mangle)]").skip(1).collect();
    exported
        .into_iter()
        .map(|part| {
            let signature = part.split('{').next().expect("a body");
            let signature =
                one_line(signature.split("extern \"C\" fn ").nth(1).expect("C's calling convention"));
            let (call, result) = signature.split_once(" -> ").unwrap_or((&signature, "()"));
            let (name, parameters) = call.split_once('(').expect("a parameter list");
            let parameters: Vec<_> = parameters
                .trim_end_matches([')', ' ', ','])
                .split(',')
                .filter_map(|parameter| parameter.trim().split_once(": "))
                .map(|(name, kind)| format!("{name}: {}", in_c(kind)))
                .collect();
            format!("{name}({}) -> {}", parameters.join(", "), in_c(result))
        })
        .collect()
}

fn in_c(kind: &str) -> &'static str {
    match kind.trim() {
        "*const c_char" => "const char *",
        "*mut c_char" => "char *",
        "c_uchar" => "unsigned char",
        "u64" => "uint64_t",
        "()" => "void",
        other => panic!("what is {other} in C?"),
    }
}

#[test]
fn header_and_code_declare_the_same_functions() {
    let declared = functions_of_the_header();
    assert_eq!(declared, functions_of_the_code());
    assert_eq!(declared.len(), 6, "the interface of version 1 has six functions: {declared:#?}");
}

/// Its types are checked by the programs that include it; here, that neither side has more than the other.
#[test]
fn the_second_header_names_what_the_code_exports() {
    let names = |text: &str, before: &str| -> BTreeSet<String> {
        let named = |part: &str| part.split('(').next().unwrap_or_default().trim().to_owned();
        text.split(before).skip(1).map(named).collect()
    };
    let header = read("include/p4_native.h");
    let code = header.split("*/").filter_map(|part| part.split("/*").next()).collect::<String>();
    let declared: BTreeSet<_> = code
        .split(';')
        .filter_map(|part| part.split_once('('))
        .filter_map(|(before, _)| before.rsplit([' ', '*']).next())
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, names(&read("p4-ffi/src/native.rs"), "extern \"C\" fn "));
    assert!(declared.len() >= 20, "{declared:#?}");
}

#[test]
fn the_readme_shows_the_example_that_is_tested() {
    let example = read("p4-ffi/examples/hello.c");
    let code = example.split_once("*/\n").expect("a comment first").1.trim();
    assert!(read("README.md").contains(code), "copy p4-ffi/examples/hello.c into README.md");
}

/// Elsewhere compilers are called differently.
#[cfg(unix)]
mod programs {
    use std::path::{Path, PathBuf};
    use std::process::Command;
    use std::{env, fs};

    use super::NATIVE;

    /// Builds the library in its own profile directory and returns where it lies.
    fn library_directory() -> PathBuf {
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--locked", "--offline", "-p", "p4-ffi"]).current_dir(NATIVE);
        if !cfg!(debug_assertions) {
            build.arg("--release");
        }
        assert!(build.status().expect("cargo runs").success());
        let test = env::current_exe().expect("a path"); // PROFILE/deps/header-…
        test.parent().and_then(Path::parent).expect("two levels").to_owned()
    }

    fn compile_and_run(compiler: &str, language: &[&str], source: &str, link: &[String]) {
        let (name, _) =
            Path::new(source).file_stem().and_then(|stem| stem.to_str()).expect("a name").split_at(5);
        let kind = if link.len() > 2 { "static" } else { "shared" };
        let program = env::temp_dir().join(format!("p4-{name}-{compiler}-{kind}-{}", std::process::id()));
        let output = Command::new(compiler)
            .args(language)
            .args(["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Iinclude", source, "-o"])
            .arg(&program)
            .args(link)
            .current_dir(NATIVE)
            .output();
        let Ok(output) = output else {
            assert!(env::var_os("CI").is_none(), "no {compiler} here");
            println!("skipped: there is no {compiler} here");
            return;
        };
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let run = Command::new(&program).output().expect("the program starts");
        fs::remove_file(&program).expect("it was there");
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        assert_eq!(String::from_utf8_lossy(&run.stdout), "ok\n");
    }

    #[test]
    fn c_and_cplusplus_programs_compile_link_and_run() {
        let directory = library_directory();
        let directory = directory.to_str().expect("a plain path");
        let extension = if cfg!(target_os = "macos") { "dylib" } else { "so" };
        let shared = [format!("{directory}/libp4_core.{extension}"), format!("-Wl,-rpath,{directory}")];
        let fixed = [format!("{directory}/libp4_core.a"), "-lpthread".into(), "-ldl".into(), "-lm".into()];
        for source in ["p4-ffi/examples/hello.c", "p4-ffi/tests/types.c"] {
            for link in [&shared[..], &fixed[..]] {
                compile_and_run("cc", &["-std=c11"], source, link);
                compile_and_run("c++", &["-x", "c++", "-std=c++17"], source, &after_source(link));
            }
        }
    }

    /// `-x c++` holds for all that follows, libraries included, until it is taken back.
    fn after_source(link: &[String]) -> Vec<String> {
        let mut arguments = vec!["-x".to_owned(), "none".to_owned()];
        arguments.extend_from_slice(link);
        arguments
    }
}
