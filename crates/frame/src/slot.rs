//! A slot that holds the newest value only: a slow reader skips values, it never queues them.
//!
//! This is how frames pass from a camera to the encoder and from the decoder to a renderer. The lock inside guards one
//! pointer-sized move and is never held across anything else.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

#[derive(Debug)]
struct Inner<T> {
    value: Option<T>,
    reader: Option<Waker>,
    replaced: u64,
    writers: usize,
}

fn lock<T>(inner: &Mutex<Inner<T>>) -> MutexGuard<'_, Inner<T>> {
    // A panic elsewhere can't leave the slot half-written: every critical section is a single move.
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The writing end. Clones write into the same slot.
#[derive(Debug)]
pub struct LatestSlot<T>(Arc<Mutex<Inner<T>>>);

/// The reading end.
#[derive(Debug)]
pub struct SlotReader<T>(Arc<Mutex<Inner<T>>>);

/// Makes a slot and its reader.
#[must_use]
pub fn latest_slot<T>() -> (LatestSlot<T>, SlotReader<T>) {
    let inner = Arc::new(Mutex::new(Inner { value: None, reader: None, replaced: 0, writers: 1 }));
    (LatestSlot(Arc::clone(&inner)), SlotReader(inner))
}

impl<T> LatestSlot<T> {
    /// Puts a value in, dropping the one that nobody took.
    pub fn put(&self, value: T) {
        let (old, waker) = {
            let mut inner = lock(&self.0);
            let old = inner.value.replace(value);
            inner.replaced += u64::from(old.is_some());
            (old, inner.reader.take())
        };
        drop(old);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// How many values were replaced before anybody took them.
    #[must_use]
    pub fn replaced(&self) -> u64 {
        lock(&self.0).replaced
    }
}

impl<T> Clone for LatestSlot<T> {
    fn clone(&self) -> Self {
        lock(&self.0).writers += 1;
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for LatestSlot<T> {
    fn drop(&mut self) {
        let waker = {
            let mut inner = lock(&self.0);
            inner.writers -= 1;
            if inner.writers == 0 { inner.reader.take() } else { None }
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T> SlotReader<T> {
    /// Takes the newest value if there is one.
    #[must_use]
    pub fn take(&self) -> Option<T> {
        lock(&self.0).value.take()
    }

    /// Ready with the newest value, or with `None` once the slot is empty and all writers are gone.
    pub fn poll_take(&self, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut inner = lock(&self.0);
        if let Some(value) = inner.value.take() {
            return Poll::Ready(Some(value));
        }
        if inner.writers == 0 {
            return Poll::Ready(None);
        }
        inner.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Waits for the next value; `None` once all writers are gone.
    pub async fn next(&self) -> Option<T> {
        std::future::poll_fn(|cx| self.poll_take(cx)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_newest_value_is_read() {
        let (slot, reader) = latest_slot();
        slot.put(1);
        slot.put(2);
        assert_eq!(reader.take(), Some(2));
        assert_eq!(reader.take(), None);
        assert_eq!(slot.replaced(), 1);
    }

    #[test]
    fn the_reader_ends_with_the_last_writer() {
        let (slot, reader) = latest_slot::<u8>();
        let second = slot.clone();
        drop(slot);
        let mut cx = Context::from_waker(Waker::noop());
        assert!(reader.poll_take(&mut cx).is_pending());
        drop(second);
        assert_eq!(reader.poll_take(&mut cx), Poll::Ready(None));
    }
}
