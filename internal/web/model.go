package web

import (
	"time"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

// Run is a run, as it is answered.
type Run struct {
	UID       string            `json:"uid"`
	Namespace string            `json:"namespace"`
	Name      string            `json:"name"`
	Test      string            `json:"test,omitempty" doc:"The name of its Test; none if the run defines its test itself."`
	Series    string            `json:"series,omitempty" doc:"What the run is compared with: its Test, or its label testrun.dev/series, or its generateName."`
	Queue     string            `json:"queue,omitempty" doc:"The queue in which it waits, or in which it counts since it started."`
	Labels    map[string]string `json:"labels,omitempty"`
	Phase     string            `json:"phase" doc:"Pending, InProgress or Finished."`
	Verdict   string            `json:"verdict,omitempty" doc:"Passed, Failed, Error, TimedOut or Cancelled, once the run has finished."`
	Reason    string            `json:"reason,omitempty"`
	Message   string            `json:"message,omitempty"`
	Flaky     bool              `json:"flaky,omitempty" doc:"It passed, but not at its first attempt."`
	Pinned    bool              `json:"pinned,omitempty"`
	Created   time.Time         `json:"created"`
	Started   *time.Time        `json:"started,omitempty"`
	Finished  *time.Time        `json:"finished,omitempty"`
	Deleted   *time.Time        `json:"deleted,omitempty" doc:"When the object was seen to be gone from the cluster."`
	Cases     Counts            `json:"cases"`
}

// Counts are numbers of cases.
type Counts struct {
	Passed  int64 `json:"passed"`
	Failed  int64 `json:"failed"`
	Errored int64 `json:"errored"`
	Skipped int64 `json:"skipped"`
	Flaky   int64 `json:"flaky" doc:"Those of the passed that passed after they had failed."`
}

// Attempt is an execution of a run.
type Attempt struct {
	Number   int32      `json:"number"`
	Job      string     `json:"job,omitempty"`
	Pod      string     `json:"pod,omitempty"`
	Node     string     `json:"node,omitempty"`
	Verdict  string     `json:"verdict,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	ExitCode *int32     `json:"exitCode,omitempty"`
	Created  *time.Time `json:"created,omitempty"`
	Started  *time.Time `json:"started,omitempty"`
	Finished *time.Time `json:"finished,omitempty"`
	Cases    Counts     `json:"cases"`
	Progress *Progress  `json:"progress,omitempty"`
	Missing  []string   `json:"missing,omitempty" doc:"What was left out altogether, and why."`
	Streams  Streams    `json:"streams"`
}

// Progress says how far a test is.
type Progress struct {
	Done   int64 `json:"done" doc:"How many cases have ended."`
	Failed int64 `json:"failed" doc:"How many of them failed or errored."`
	Total  int64 `json:"total,omitempty" doc:"How many there will be, if that is known."`
}

// Streams are those that every attempt may have.
type Streams struct {
	Output Stream `json:"output"`
	Cases  Stream `json:"cases"`
}

// Gap is a part of a stream that is missing.
type Gap struct {
	Offset int64 `json:"offset"`
	Length int64 `json:"length"`
}

func runOf(run archive.Run) Run {
	return Run{
		UID: run.UID, Namespace: run.Namespace, Name: run.Name, Test: run.Test, Series: run.Series, Queue: run.Queue, Labels: run.Labels,
		Phase: run.Phase, Verdict: run.Verdict, Reason: run.Reason, Message: run.Message, Flaky: run.Flaky, Pinned: run.Pinned,
		Created: run.Created.UTC(), Started: at(run.Started), Finished: at(run.Finished), Deleted: at(run.Deleted), Cases: countsOf(run.Counts),
	}
}

func countsOf(c archive.Counts) Counts { return Counts(c) }

func attemptOf(a archive.Attempt, streams Streams) Attempt {
	return Attempt{
		Number: a.Number, Job: a.Job, Pod: a.Pod, Node: a.Node, Verdict: a.Verdict, Reason: a.Reason, ExitCode: a.ExitCode,
		Created: at(a.Created), Started: at(a.Started), Finished: at(a.Finished), Cases: countsOf(a.Counts), Progress: progressOf(a.Progress),
		Missing: a.Missing, Streams: streams,
	}
}

func progressOf(p push.Progress) *Progress {
	if p == (push.Progress{}) {
		return nil
	}
	return &Progress{Done: p.Done, Failed: p.Failed, Total: p.Total}
}

// at is nil for a time that is not known.
func at(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
