//! The H.264 codec is built with its hand-written assembly. Without `nasm` the build falls back to C++ without a word and
//! codes three times slower, so the proof is the linker's: these symbols exist only in the assembly.
#![cfg(target_arch = "x86_64")]
#![allow(unsafe_code, reason = "the symbols are named, never called")]

use openh264_sys2 as _;

unsafe extern "C" {
    fn WelsSampleSad16x16_sse2();
    fn WelsDctFourT4_avx2();
    fn DeblockLumaLt4V_ssse3();
}

#[test]
fn the_assembly_is_linked() {
    for symbol in
        [WelsSampleSad16x16_sse2 as *const (), WelsDctFourT4_avx2 as *const (), DeblockLumaLt4V_ssse3 as *const ()]
    {
        assert!(!symbol.is_null());
    }
}
