// Package archive keeps what runs said after the runs, their pods and their logs are gone: see docs/archive.md.
//
// A Store keeps rows in SQLite or PostgreSQL. Blobs, in the folder blobs, keep bytes: output, cases as they were pushed, artifacts. The
// folder ingest fills both.
package archive

import (
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// Run is what is kept of a TestRun, without its attempts.
type Run struct {
	UID             string
	Namespace, Name string
	// Test is the name of its Test; empty for a run with a definition of its own. Series is what the run is compared with: see SeriesOf.
	Test, Series string
	// Queue is the one in which it waits, or in which it counts since it started; empty if the status does not say.
	Queue string
	// Labels are read with a single run, not in lists. At most 64 are kept.
	Labels map[string]string
	// Phase, Verdict, Reason and Message are those of the status. Phase is empty while only a push has told of the run.
	Phase, Verdict, Reason, Message string
	Flaky, Pinned                   bool
	// Created, Started and Finished are zero where the object does not say so yet. Deleted is when the object was seen to be gone.
	Created, Started, Finished, Deleted time.Time
	Counts                              Counts
	// ResourceVersion is that of the newest state that is kept; empty while only a push has told of the run.
	ResourceVersion string
}

// Key is the place of the run in lists.
func (r *Run) Key() Key { return Key{r.Created, r.UID} }

// Counts are numbers of cases.
type Counts struct {
	Passed, Failed, Errored, Skipped, Flaky int64
}

// Attempt is what is kept of an attempt.
type Attempt struct {
	UID    string
	Number int32
	// Job, Pod, Node, Verdict, Reason, ExitCode and the times are those of the status.
	Job, Pod, Node, Verdict, Reason string
	ExitCode                        *int32
	Created, Started, Finished      time.Time
	// Counts are those of the cases that are kept of this attempt.
	Counts   Counts
	Progress push.Progress
	// Settled means that its output has been dealt with: see Store.Settle.
	Settled bool
	// Ended means that the runner has pushed its End. Missing is what it left out, in words.
	Ended   bool
	Missing []string
}

// Source says where the bytes of a stream come from.
type Source string

// The sources.
const (
	// FromRunner means that the runner pushed it.
	FromRunner Source = "runner"
	// FromKubelet means that it was read from the pod's log.
	FromKubelet Source = "kubelet"
	// FromStatus means that only what the object's status says is known, which is bounded.
	FromStatus Source = "status"
)

// StreamState is what is kept of a stream.
type StreamState struct {
	UID     string
	Attempt int32
	push.Stream
	Source Source
	// Length is how much of the stream is kept from its beginning on without a gap, and Stored how much in all, in bytes, uncompressed.
	// Size is how long the blobs are. Stored counts what two chunks both hold twice, as long as there is a gap before them.
	Length, Stored, Size int64
	// Wanted is how long the stream is, by its End; -1 if there has been none. SHA256 is what the End says.
	Wanted int64
	SHA256 string
	// Verified means that all of it is kept, and is what the End says. Altered means that all of it is kept and is something else.
	Verified, Altered bool
	// Cut says in words why something is missing, where the server knows it: a limit of size, for one. Empty otherwise.
	Cut string
	// Expired is when the bytes were deleted by their retention; zero if they are kept.
	Expired time.Time
	// Gaps are the parts that are missing, in order; at most MaxGaps. Only Store.Stream fills it.
	Gaps []push.Gap
	// Next is a chunk that was kept before what precedes it: Store.Advance can add it to the Length. Usually nil.
	Next *Chunk
	// Duplicate means that Store.AddChunk had this part already, so that nothing names the chunk's blob.
	Duplicate bool
}

// MaxGaps is how many gaps of a stream are listed.
const MaxGaps = 100

// Chunk is a part of a stream, as it is kept.
type Chunk struct {
	Offset, Length int64
	// Key is that of the blob: a gzip member. Size is the blob's, in bytes.
	Key  string
	Size int64
}

// CaseResult is how a case ended in an attempt.
type CaseResult struct {
	// Number counts the cases of the attempt from 1, in the order in which the test reported them.
	Number   int64
	Name     string
	Suite    string
	Outcome  results.Outcome
	Duration time.Duration
	Location string
	Message  string
	Flaky    bool
	// Mark and FailingSince are read only: see Store.Cases.
	Mark         Mark
	FailingSince RunRef
}

// CaseName says which case it is: the same one in many runs.
type CaseName struct {
	Namespace, Series, Suite, Name string
}

// CaseOutcome is a case in one run of its history.
type CaseOutcome struct {
	UID, Run string
	Attempt  int32
	Number   int64
	// Created is when the run was.
	Created  time.Time
	Outcome  results.Outcome
	Flaky    bool
	Duration time.Duration
	Message  string
}

// Key is the place of the outcome in the history.
func (o *CaseOutcome) Key() HistoryKey { return HistoryKey{o.Created, o.UID, o.Attempt, o.Number} }

// HistoryKey is a place in the history of a case. The zero key is before the newest.
type HistoryKey struct {
	Created time.Time
	UID     string
	Attempt int32
	Number  int64
}

// Filter selects runs. Empty fields select all.
type Filter struct {
	Namespace, Series, Verdict, Phase string
	// States are phases of runs that have not finished, and verdicts: those runs that are in one of them.
	States []string
	// Name is what names begin with. Queue selects the runs that wait or run in a queue now.
	Name, Queue string
	// Label is one "key=value".
	Label string
	// Namespaces are those that the reader may see; nil means all, and an empty list none.
	Namespaces []string
}

// Page says where a page of a list begins and how long it is. The zero After is the newest.
type Page struct {
	After Key
	Limit int
}

// Key is the place of a run in lists, newest first.
type Key struct {
	Created time.Time
	UID     string
}
