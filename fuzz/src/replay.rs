//! Every seed through its target, on stable. `UPDATE_EXPECT=1` writes the seeds that are made from the
//! table of bad input anew.

use std::fs;
use std::path::{Path, PathBuf};

use crate::rows::rows;

/// How large "huge" is in a seed.
const HUGE: usize = 4000;

fn replay(target: &str, run: fn(&[u8]), n_min: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        write_rows(&folder, target);
    }
    let mut files: Vec<PathBuf> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= n_min, "{target}: only {} seeds", files.len());
    for file in files {
        let _context = crate::oracle::Context(file.display().to_string());
        run(&fs::read(&file).unwrap());
    }
}

/// Each row is a seed of its own, named as the row.
fn write_rows(folder: &Path, target: &str) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if entry.file_name().to_string_lossy().starts_with("row-") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let rows = rows(HUGE).into_iter().filter(|row| row.format.as_str() == target);
    for (n, row) in rows.enumerate() {
        let word = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let name: String = row.name.chars().map(word).collect();
        let name = format!("row-{n:03}-{name}");
        fs::write(folder.join(name), row.body).unwrap();
    }
}

#[test]
fn record() {
    replay("record", crate::record, 80);
}

#[test]
fn lm1() {
    replay("lm1", crate::lm1, 80);
}

#[test]
fn prom_text() {
    replay("prom_text", crate::prom_text, 80);
}

#[cfg(feature = "pushgateway")]
#[test]
fn prom_protobuf() {
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
        for entry in fs::read_dir(seeds.join("prom_text")).unwrap() {
            let path = entry.unwrap().path();
            let body = crate::groups::exposed(&fs::read(&path).unwrap());
            if !body.is_empty() {
                let name = path.file_name().unwrap().to_string_lossy().replace("row-", "text-");
                fs::write(seeds.join("prom_protobuf").join(name), body).unwrap();
            }
        }
    }
    replay("prom_protobuf", crate::prom_protobuf, 20);
}

#[cfg(feature = "otlp")]
#[test]
fn otlp_json() {
    replay("otlp_json", crate::otlp_json, 80);
}

#[cfg(feature = "otlp")]
#[test]
fn otlp_protobuf() {
    replay("otlp_protobuf", crate::otlp_protobuf, 20);
}

#[test]
fn reports() {
    replay("reports", crate::reports, 80);
}

#[test]
fn faro() {
    replay("faro", crate::faro, 25);
}

#[test]
fn beacon() {
    replay("beacon", crate::beacon, 60);
}

#[test]
fn hit() {
    replay("hit", crate::hit, 20);
}

#[test]
fn exposition() {
    replay("exposition", crate::exposition, 8);
}
