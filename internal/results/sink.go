package results

import "time"

// Sink takes what a reader finds, case by case, as it comes. Summary is one: it counts, and keeps a few cases. Another one may
// keep them all.
//
// A Sink need not remember anything of a case that it was given: whoever tells more of a case says which one it is, and how it
// stood. Readers keep that of a bounded number of cases.
type Sink interface {
	// Add takes a case. It returns the number of the case: cases are numbered from 1, in the order in which they are added.
	// kept says whether Explain is of any use for it.
	Add(c Case) (id ID, kept bool)
	// Retry takes a further attempt of a case that has been added, which stood as it says before. The last attempt that was
	// not skipped decides whether the case passed; after a failure it is flaky then.
	Retry(was Standing, c Case)
	// Separate says that what was taken for attempts of a flaky case are cases of their own.
	Separate(was Standing)
	// Explain replaces the message and the location of a case: its reason came later than the case.
	Explain(id ID, message, location string)
	// Timed says that the name of each case from first to last ends with the time that the case took, as CutTime reads it, and
	// that they took so long in total. They were added without a duration.
	Timed(first, last ID, total time.Duration)
	// Note says that the results are not whole, and why in words for people.
	Note(defect Defect, message string)
	// Takes says how much of the next case that did not pass the Sink takes, so that readers need not gather the rest.
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
	// ID is the number of the case. It is 0 if nothing but its name is known any more: it has passed and never failed.
	ID ID
	// Failures and Passes count its attempts.
	Failures, Passes int32
	// Errored means that it was counted as errored when it failed last, not as failed. Only failures that followed no other one
	// count.
	Errored bool
	// Flaky means that the last attempt passed, and one before it failed.
	Flaky bool
}

var _ Sink = (*Summary)(nil)
