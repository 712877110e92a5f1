//! The allocator of the program and of what measures it: jemalloc, told to use pages of two megabytes. What an event reads of its agent is
//! spread over as much memory as the fleet takes, and with ordinary pages each line has to be found in the page tables first. A program
//! names it itself, so that whoever uses the library keeps an allocator of their own.

pub use tikv_jemallocator::Jemalloc as Allocator;

/// Read by jemalloc before anything is allocated. Where the kernel gives no large pages, nothing changes.
#[used]
#[expect(
    unsafe_code,
    reason = "jemalloc looks for its settings under this name; it is the address of a text that ends with 0, as it wants"
)]
#[unsafe(export_name = "_rjem_malloc_conf")]
static SETTINGS: &[u8; 31] = b"thp:always,metadata_thp:always\0";
