//! What every store must do, as functions over the traits, named by the promise they test.
//!
//! Each works on keys, partitions or names of its own, so that all may share one store. The macros make
//! a test of each: a promise added here is tested everywhere, and cannot be forgotten.
//!
//! ```text
//! storage::table_conformance!(Box::new(MemoryTable::default()));
//! ```

#![expect(
    clippy::unwrap_used,
    reason = "this is test code, in the library to be shared"
)]

pub mod blobs;
pub mod journal;
pub mod queue;
pub mod table;

/// A test per function of [`table`], each over `$open`, an expression for something that derefs to a `Table` and is kept
/// for as long as the test runs.
#[macro_export]
macro_rules! table_conformance {
    ($open:expr) => {
        $crate::conformance_tests!(
            table,
            $open,
            [
                a_row_is_read_as_it_was_written,
                a_write_expecting_absence_fails_where_a_row_is,
                a_write_expecting_a_revision_fails_after_another,
                of_many_writers_expecting_the_same_one_wins,
                revisions_go_up_and_never_come_again,
                deleting_is_conditional_and_harmless_without_a_condition,
                rows_are_listed_by_prefix_in_order_and_in_pages,
                the_largest_row_fits_and_a_larger_one_is_refused,
                a_watch_tells_what_is_there_then_what_changes,
                a_watch_tells_the_changes_of_a_key_in_order,
                a_watcher_that_is_too_slow_is_dropped,
            ]
        );
    };
}

/// A test per function of [`journal`]; see [`table_conformance`].
#[macro_export]
macro_rules! journal_conformance {
    ($open:expr) => {
        $crate::conformance_tests!(
            journal,
            $open,
            [
                records_are_read_in_the_order_they_were_appended,
                a_stale_writer_is_fenced_and_told_the_tail,
                of_many_writers_at_one_position_one_is_not_fenced,
                an_append_is_done_in_full_or_not_at_all,
                an_append_of_nothing_asks_for_the_tail,
                partitions_do_not_know_of_each_other,
                trimming_forgets_records_and_keeps_positions,
                reading_from_the_trimmed_begins_with_the_oldest_kept,
                the_largest_append_fits,
            ]
        );
    };
}

/// A test per function of [`queue`]; see [`table_conformance`].
#[macro_export]
macro_rules! queue_conformance {
    ($open:expr) => {
        $crate::conformance_tests!(
            queue,
            $open,
            [
                a_message_is_received_as_it_was_sent_and_acked_once,
                a_held_message_is_seen_by_nobody_else_until_its_time_runs_out,
                a_holder_that_needs_longer_extends,
                a_released_message_comes_back_after_its_delay,
                a_delayed_message_is_not_seen_before,
                a_holder_whose_time_ran_out_may_ack_and_nothing_else,
                a_replaced_message_has_the_new_body_and_counts_anew,
                the_longest_visible_is_received_first,
                a_receiver_that_waits_is_woken_by_a_send,
                a_late_ack_removes_no_other_message,
                what_comes_when_a_receiver_has_left_is_received_by_the_next,
                a_message_that_is_put_back_wakes_who_waits,
                a_receiver_that_waits_is_woken_by_time,
                many_receivers_never_hold_the_same_message,
                queues_do_not_know_of_each_other,
                an_empty_queue_can_be_deleted_and_another_not,
                depth_tells_visible_and_hidden,
                a_receive_is_of_so_many_bytes_and_a_look_of_so_few,
                the_largest_message_fits_and_a_larger_one_is_refused,
                what_is_kept_for_an_owner_is_counted_and_bounded,
                what_waits_is_shown_at_once_but_for_what_is_held,
                all_messages_are_browsed_in_every_state_and_none_is_taken,
                pages_of_browsed_messages_are_of_so_many_bytes,
            ]
        );
    };
}

/// A test per function of [`blobs`]; see [`table_conformance`].
#[macro_export]
macro_rules! blobs_conformance {
    ($open:expr) => {
        $crate::conformance_tests!(
            blobs,
            $open,
            [
                a_blob_is_read_as_it_was_put,
                putting_again_replaces_it_as_a_whole,
                what_was_deleted_is_gone_and_deleting_again_is_harmless,
                a_name_may_be_the_beginning_of_another,
                blobs_are_listed_by_prefix_in_order_and_in_pages,
                names_that_break_the_rule_are_refused,
                a_reader_never_sees_a_mixture,
            ]
        );
    };
}

/// What the macros above expand to.
#[doc(hidden)]
#[macro_export]
macro_rules! conformance_tests {
    ($what:ident, $open:expr, [$($test:ident),* $(,)?]) => {
        mod $what {
            use super::*;
            $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $test() {
                    let opened = $open;
                    $crate::conformance::$what::$test(&*opened).await;
                }
            )*
        }
    };
}
