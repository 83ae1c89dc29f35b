package results

import "time"

// Sink receives the cases that a reader finds, one by one. Summary is a Sink that counts and keeps a few cases. Another Sink may
// keep or send all of them.
//
// A Sink does not have to remember the cases: each later call about a case has its number and its standing. Readers remember
// those for a bounded number of cases.
type Sink interface {
	// Add takes a new case and returns its number. Cases are numbered from 1, in the order in which they are added. kept is false
	// if the Sink has no use for a later Explain.
	Add(c Case) (id ID, kept bool)
	// Retry takes a further attempt of a case. was is the standing before it. The last attempt that was not skipped decides
	// whether the case passed. A case that passes after a failure is flaky.
	Retry(was Standing, c Case)
	// Separate says that the attempts of a flaky case were cases of their own after all.
	Separate(was Standing)
	// Explain replaces the message and the location of a case, when the reason comes after the case.
	Explain(id ID, message, location string)
	// Timed says that the name of each case from first to last ends with the time that it took: see CutTime. total is the sum.
	// These cases were added without a duration.
	Timed(first, last ID, total time.Duration)
	// Note says that the results are not whole, and why in words for people.
	Note(defect Defect, message string)
	// Takes says how much the Sink wants to know of the next case that did not pass. Readers need not collect more.
	Takes() Extent
}

// ID is the number of a case in a Sink. 0 is none.
type ID int64

// Extent is how much of a case a Sink takes. Each includes those before.
type Extent int

// The extents.
const (
	// CountOnly means that the case is counted by its outcome. It may come without its location.
	CountOnly Extent = iota
	// Texts means all but the details.
	Texts
	// WithDetails means all.
	WithDetails
)

// Standing is how a case stands after its attempts so far, as Attempts counts them.
type Standing struct {
	// ID is the number of the case. It is 0 for a case that has never failed: readers do not remember the numbers of those.
	ID ID
	// Failures and Passes count its attempts.
	Failures, Passes int32
	// Errored means that the case counts as errored, not as failed, while it is not flaky. The first of several failures in a row
	// decides.
	Errored bool
	// Flaky means that the last attempt passed, and one before it failed.
	Flaky bool
}

var _ Sink = (*Summary)(nil)
