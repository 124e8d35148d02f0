//! What a reader of the stream is sent, plain or compressed. Text is compressed once for all its readers: each piece is
//! deflated by itself, ends at a byte and refers to nothing before it, so pieces follow one another in any combination
//! and are one gzip file (RFC 1952) for who reads them.

use axum::body::{Body, Bytes};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT_ENCODING;
use axum::response::{IntoResponse as _, Response};
use crc32fast::Hasher;
use flate2::{Compress, Compression, FlushCompress, Status};
use tokio::sync::mpsc;
use tokio_stream::StreamExt as _;
use tokio_stream::wrappers::ReceiverStream;

use super::super::blocking;

/// Deflate, no name, no time, of an unknown system.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// The last block, which is empty.
const DEFLATE_END: [u8; 2] = [3, 0];
/// Pieces up to this size are compressed where they are met; longer ones elsewhere, as others wait meanwhile.
const SMALL: usize = 4096;

/// A piece of text as gzip has it, to be followed by others.
#[derive(Debug, Clone)]
pub(super) struct Packed {
    bytes: Bytes,
    /// The checksum of the text.
    sum: Hasher,
    /// The length of the text, modulo 2^32 as gzip tells it.
    length: u32,
}

impl Packed {
    pub(super) fn of(text: &[u8]) -> Self {
        let mut deflate = Compress::new(Compression::fast(), false);
        let mut bytes = Vec::with_capacity(text.len() / 4 + 64);
        let mut rest = text;
        // A flush is over when room is left behind it.
        loop {
            let before = deflate.total_in();
            let status = deflate.compress_vec(rest, &mut bytes, FlushCompress::Full);
            let taken = usize::try_from(deflate.total_in() - before).unwrap_or(usize::MAX);
            rest = rest.get(taken..).unwrap_or_default();
            let is_over = rest.is_empty() && bytes.len() < bytes.capacity();
            if is_over || !matches!(status, Ok(Status::Ok | Status::BufError)) {
                break;
            }
            bytes.reserve(bytes.len());
        }
        let mut sum = Hasher::new();
        sum.update(text);
        let length = u32::try_from(text.len() & 0xffff_ffff).unwrap_or_default();
        Self { bytes: bytes.into(), sum, length }
    }
}

/// Where a reader's events go.
#[derive(Debug)]
pub(super) struct Outlet {
    sender: mpsc::Sender<Bytes>,
    /// The checksum and the length of what was sent so far; `None` where nothing is compressed.
    gzip: Option<(Hasher, u32)>,
}

/// Whether a client takes gzip, which it has to say: `accept-encoding: gzip`, with a weight above 0 if it gives one.
pub(in super::super) fn takes_gzip(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|coding| {
        let mut parts = coding.split(';').map(str::trim);
        let is_gzip = parts.next().is_some_and(|name| name.eq_ignore_ascii_case("gzip"));
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        is_gzip && weight.is_none_or(|weight| weight.parse::<f32>().is_ok_and(|weight| weight > 0.0))
    })
}

impl Outlet {
    /// Returns the outlet, and the response that it feeds.
    pub(super) fn open(is_gzip: bool) -> (Self, Response) {
        // One part is on its way while the next one waits.
        let (sender, receiver) = mpsc::channel(1);
        let head = is_gzip.then(|| Ok(Bytes::from_static(&GZIP_HEAD)));
        let pieces = ReceiverStream::new(receiver).map(Ok::<_, std::convert::Infallible>);
        let body = Body::from_stream(tokio_stream::iter(head).chain(pieces));
        let mut response = body.into_response();
        let headers = response.headers_mut();
        let mut set = |name, value| headers.insert(name, axum::http::HeaderValue::from_static(value));
        set("content-type", "text/event-stream");
        set("cache-control", "no-store");
        set("x-accel-buffering", "no");
        set("vary", "accept-encoding");
        if is_gzip {
            set("content-encoding", "gzip");
        }
        (Self { sender, gzip: is_gzip.then(|| (Hasher::new(), 0)) }, response)
    }

    pub(super) const fn is_gzip(&self) -> bool {
        self.gzip.is_some()
    }

    /// Sends text; tells whether the reader is still there.
    pub(super) async fn send(&mut self, text: Bytes) -> bool {
        if !self.is_gzip() {
            return self.sender.send(text).await.is_ok();
        }
        let packed = if text.len() <= SMALL {
            Packed::of(&text)
        } else {
            let Ok(packed) = blocking(move || Packed::of(&text)).await else { return false };
            packed
        };
        self.send_packed(packed).await
    }

    /// Sends text that is compressed already, to a reader that takes gzip.
    pub(super) async fn send_packed(&mut self, packed: Packed) -> bool {
        if let Some((sum, length)) = &mut self.gzip {
            *length = length.wrapping_add(packed.length);
            sum.combine(&packed.sum);
        }
        self.sender.send(packed.bytes).await.is_ok()
    }

    /// Resolves when the reader has gone.
    pub(super) async fn closed(&self) {
        self.sender.closed().await;
    }

    /// Ends the stream. A reader that has not taken what it was sent is not waited for: its file has no end.
    pub(super) fn end(self) {
        let Some((sum, length)) = self.gzip else { return };
        let mut end = DEFLATE_END.to_vec();
        end.extend_from_slice(&sum.finalize().to_le_bytes());
        end.extend_from_slice(&length.to_le_bytes());
        drop(self.sender.try_send(end.into()));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use flate2::read::GzDecoder;

    use super::*;

    fn unpacked(bytes: &[u8]) -> String {
        let mut text = String::new();
        GzDecoder::new(bytes).read_to_string(&mut text).expect("a whole gzip file with the right checksum");
        text
    }

    #[tokio::test]
    async fn pieces_in_any_combination_are_one_gzip_file() {
        let noise: String = (0..40_000_u32).map(|n| format!("{:x}", n.wrapping_mul(2_654_435_761))).collect();
        let texts = ["", "id: 1\ndata: {}\n\n", "id: 1\ndata: {}\n\n", ":\n\n", noise.as_str(), "", "x"];
        let packed: Vec<Packed> = texts.iter().map(|text| Packed::of(text.as_bytes())).collect();
        for order in [&[0, 1, 2, 3, 4, 5, 6][..], &[4, 4, 6, 1], &[], &[0]] {
            let (mut outlet, response) = Outlet::open(true);
            let order = order.to_vec();
            let expected: String = order.iter().map(|&index: &usize| texts[index]).collect();
            let packed = packed.clone();
            let sent = tokio::spawn(async move {
                for index in order {
                    assert!(outlet.send_packed(packed[index].clone()).await);
                }
                // What is on its way is taken first.
                let _room = outlet.sender.reserve().await.expect("a reader");
                drop(_room);
                outlet.end();
            });
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.expect("a body");
            sent.await.expect("sent");
            assert_eq!(unpacked(&body), expected);
        }
    }

    #[test]
    fn each_piece_is_there_to_its_last_byte_before_the_next_one_comes() {
        let mut bytes = GZIP_HEAD.to_vec();
        bytes.extend_from_slice(&Packed::of(b"id: 7\n\n").bytes);
        let mut decoder = GzDecoder::new(bytes.as_slice());
        let mut text = [0; 7];
        decoder.read_exact(&mut text).expect("all of it, though the file goes on");
        assert_eq!(&text, b"id: 7\n\n");
    }

    #[test]
    fn gzip_is_for_who_asks_for_it() {
        let takes = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, value.parse().expect("a value"));
            takes_gzip(&headers)
        };
        for value in ["gzip", "GZIP", "br, gzip", "deflate;q=0.5,gzip;q=0.1", "gzip ; q=1"] {
            assert!(takes(value), "{value}");
        }
        for value in ["", "identity", "br", "gzip;q=0", "gzip;q=0.000", "*", "xgzip"] {
            assert!(!takes(value), "{value}");
        }
        assert!(!takes_gzip(&HeaderMap::new()));
    }
}
