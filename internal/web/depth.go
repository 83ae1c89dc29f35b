package web

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
)

const (
	// A depth is that of a day, in steps.
	depthTime = 24 * time.Hour
	depthStep = 5 * time.Minute
	// maxQueueTimes is of how many runs a depth is made.
	maxQueueTimes = 50_000
)

// Depth is how deep a queue was.
type Depth struct {
	Queue string      `json:"queue"`
	Steps []DepthStep `json:"steps" nullable:"false" doc:"Each is five minutes; the last one ends now."`
	Whole bool        `json:"whole" doc:"False if there were more runs than are looked at: then the older ones are missing."`
}

// DepthStep is a part of the time.
type DepthStep struct {
	From    time.Time `json:"from"`
	Waiting int64     `json:"waiting" doc:"How many runs waited for their start, at the most."`
	Running int64     `json:"running" doc:"How many ran, at the most."`
}

type depthInput struct {
	Queue     string   `path:"queue" maxLength:"253" doc:"The name of a queue."`
	Namespace []string `query:"namespace" maxItems:"200" doc:"Only runs of these namespaces; several with commas between them. Without it you need the right to get testruns in all namespaces."`
}

type depthOutput struct{ Body Depth }

func (s *server) registerDepth(api huma.API) {
	described := operation{
		id: "get-queue-depth", path: "/queues/{queue}/depth", summary: "How deep a queue was", description: "In the last 24 hours: of the runs that you may see.",
		errors: []int{http.StatusForbidden},
	}.in(Root)
	described.Tags = []string{"runs"}
	huma.Register(api, described, func(ctx context.Context, input *depthInput) (*depthOutput, error) {
		output, err := s.depth(ctx, input)
		return output, s.told(ctx, err)
	})
}

func (s *server) depth(ctx context.Context, input *depthInput) (*depthOutput, error) {
	if err := s.allowAll(ctx, input.Namespace, "/queues/QUEUE/depth"); err != nil {
		return nil, err
	}
	namespaces := input.Namespace
	if len(namespaces) == 0 {
		namespaces = nil // all
	}
	now := time.Now()
	times, whole, err := s.store.QueueTimes(ctx, namespaces, now.Add(-depthTime), maxQueueTimes)
	if err != nil {
		return nil, err
	}
	return &depthOutput{Depth{input.Queue, depthOf(times, input.Queue, now), whole}}, nil
}

// turnOf is that more or fewer runs wait and run from a time on.
type turnOf struct {
	at               time.Time
	waiting, running int64
}

// depthOf is how many runs of the queue waited and ran in each step until now, at the most.
func depthOf(times []archive.QueueTime, queue string, now time.Time) []DepthStep {
	var turns []turnOf
	for _, t := range times {
		if t.Queue != queue {
			continue
		}
		turns = append(turns, turnOf{t.Created, 1, 0})
		switch {
		case !t.Started.IsZero():
			turns = append(turns, turnOf{t.Started, -1, 1})
			if !t.Ended.IsZero() {
				turns = append(turns, turnOf{t.Ended, 0, -1})
			}
		case !t.Ended.IsZero():
			turns = append(turns, turnOf{t.Ended, -1, 0})
		}
	}
	slices.SortFunc(turns, func(x, y turnOf) int { return cmp.Or(x.at.Compare(y.at), cmp.Compare(x.running, y.running)) }) // what ends makes room
	var waiting, running int64
	steps := make([]DepthStep, 0, depthTime/depthStep)
	for from := now.Add(-depthTime); from.Before(now); from = from.Add(depthStep) {
		for len(turns) > 0 && !turns[0].at.After(from) {
			waiting, running, turns = waiting+turns[0].waiting, running+turns[0].running, turns[1:]
		}
		step := DepthStep{from.UTC(), waiting, running}
		for len(turns) > 0 && turns[0].at.Before(from.Add(depthStep)) {
			waiting, running, turns = waiting+turns[0].waiting, running+turns[0].running, turns[1:]
			step.Waiting, step.Running = max(step.Waiting, waiting), max(step.Running, running)
		}
		steps = append(steps, step)
	}
	return steps
}
