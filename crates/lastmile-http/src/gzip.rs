//! Compression of a body in pieces, each as it comes.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

/// Level 1: expositions repeat themselves so much that more work gains little.
const LEVEL: u32 = 1;

/// One gzip stream under way. Its window and tables take about 300 KiB.
pub(crate) struct Gzip(GzEncoder<Vec<u8>>);

impl Gzip {
    pub(crate) fn new() -> Self {
        Self(GzEncoder::new(Vec::new(), Compression::new(LEVEL)))
    }

    /// Takes a piece, and gives what has come out by now, which may be nothing.
    pub(crate) fn write(&mut self, piece: &[u8]) -> Vec<u8> {
        self.0.write_all(piece).expect("a vector takes it all");
        std::mem::take(self.0.get_mut())
    }

    /// What comes last; never nothing.
    pub(crate) fn finish(self) -> Vec<u8> {
        self.0.finish().expect("a vector takes it all")
    }
}

/// What is compressed once and sent often, as small as it gets.
pub(crate) fn best(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(text).expect("a vector takes it all");
    gzip.finish().expect("a vector takes it all")
}
