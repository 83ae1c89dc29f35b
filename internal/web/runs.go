package web

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
)

// Paged are the parameters of every list.
type Paged struct {
	After string `query:"after" maxLength:"4096" doc:"What the page before gave as \"next\"."`
	Limit int    `query:"limit" default:"100" minimum:"1" maximum:"500" doc:"How many items a page has at most."`
}

// Selected are the parameters that select runs.
type Selected struct {
	Series  string   `query:"series" maxLength:"253" doc:"Only runs of this series."`
	Verdict string   `query:"verdict" enum:"Passed,Failed,Error,TimedOut,Cancelled" doc:"Only runs that ended so."`
	Phase   string   `query:"phase" enum:"Pending,InProgress,Finished" doc:"Only runs that are there now."`
	State   []string `query:"state" enum:"Pending,InProgress,Passed,Failed,Error,TimedOut,Cancelled" maxItems:"7" doc:"Only runs that are in one of these states: phases of runs that have not finished, and verdicts; several with commas between them."`
	Name    string   `query:"name" maxLength:"253" doc:"Only runs whose names begin so."`
	Queue   string   `query:"queue" maxLength:"253" doc:"Only runs that wait or run in this queue now."`
	Label   string   `query:"label" maxLength:"400" example:"team=shop" doc:"Only runs with this label, as KEY=VALUE."`
	Paged
}

type allRunsInput struct {
	Namespace []string `query:"namespace" maxItems:"200" doc:"Only runs of these namespaces; several with commas between them. Without it you need the right to get testruns in all namespaces."`
	Selected
}

// ListedRun is a run in a list. Of its message it has the beginning, and none of its labels.
type ListedRun struct {
	Run
	Progress *Progress `json:"progress,omitempty" doc:"How far the last attempt is, while the run has not finished."`
}

// RunList is a page of runs, the newest first.
type RunList struct {
	Items []ListedRun `json:"items" nullable:"false"`
	Page
}

type runsOutput struct{ Body RunList }

// RunDetails is a run with its attempts.
type RunDetails struct {
	Run
	Attempts []Attempt `json:"attempts" nullable:"false"`
	// ReadOnly says why the archive takes nothing more at the moment.
	ReadOnly string `json:"readOnly,omitempty" doc:"Why the archive takes nothing more at the moment; what follows may be missing."`
}

type runOutput struct{ Body RunDetails }

func (s *server) registerRuns(api huma.API) {
	lists := operation{
		id: "list-all-runs", path: "/runs", summary: "Runs of all namespaces", description: "The newest first.",
		errors: []int{http.StatusForbidden},
	}
	described := lists.in(Root)
	described.Tags = []string{"runs"}
	huma.Register(api, described, func(ctx context.Context, input *allRunsInput) (*runsOutput, error) {
		output, err := s.allRuns(ctx, input)
		return output, s.told(ctx, err)
	})
	ofNamespace(s, api, inNamespace, operation{
		id: "list-runs", path: "/runs", summary: "Runs of a namespace", description: "The newest first.",
	}, func(ctx context.Context, where place, input *Selected) (*runsOutput, error) {
		return s.runs(ctx, []string{where.namespace}, input)
	})
	ofRun(s, api, operation{
		id: "get-run", summary: "A run", description: "With its attempts, and how much of their output and cases is kept.",
	}, s.details)
	ofRun(s, api, operation{
		id: "get-object", path: "/object", summary: "The TestRun of a run", description: "The whole object, as it was last.",
		change: answersObject("The TestRun."),
	}, s.object)
}

func (s *server) allRuns(ctx context.Context, input *allRunsInput) (*runsOutput, error) {
	if err := s.allowAll(ctx, input.Namespace, "/runs"); err != nil {
		return nil, err
	}
	return s.runs(ctx, input.Namespace, &input.Selected)
}

// allowAll lets those through who may see the runs of all of the namespaces; of all that there are, if there are none.
func (s *server) allowAll(ctx context.Context, namespaces []string, path string) error {
	if len(namespaces) == 0 {
		return s.allow(ctx, "", toRun, forbidden("You may not see the runs of all namespaces. Name yours: "+Root+path+"?namespace=NAMESPACE,NAMESPACE."))
	}
	for _, namespace := range namespaces {
		if !isName(namespace) {
			return errNothing
		}
		if err := s.allow(ctx, namespace, toRun, errNothing); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) runs(ctx context.Context, namespaces []string, input *Selected) (*runsOutput, error) {
	if len(namespaces) == 0 {
		namespaces = nil // all
	}
	after, err := afterRun(input.After)
	if err != nil {
		return nil, err
	}
	if key, _, ok := strings.Cut(input.Label, "="); input.Label != "" && (!ok || key == "") {
		return nil, huma.Error400BadRequest("\"label\" is one KEY=VALUE.")
	}
	if !isText(input.Label + input.Series + input.Name + input.Queue) {
		return &runsOutput{RunList{Items: []ListedRun{}}}, nil
	}
	filter := archive.Filter{
		Namespaces: namespaces, Series: input.Series, Verdict: input.Verdict, Phase: input.Phase, States: input.State, Label: input.Label,
		Name: input.Name, Queue: input.Queue,
	}
	runs, more, err := s.store.Runs(ctx, filter, archive.Page{After: after, Limit: input.Limit})
	if err != nil {
		return nil, err
	}
	progress, err := s.progress(ctx, runs)
	if err != nil {
		return nil, err
	}
	output := &runsOutput{RunList{Items: make([]ListedRun, 0, len(runs))}}
	for _, run := range runs {
		output.Body.Items = append(output.Body.Items, ListedRun{runOf(run), progressOf(progress[run.UID])})
	}
	if more && len(runs) > 0 {
		output.Body.Next = runCursor(runs[len(runs)-1].Key())
	}
	return output, nil
}

// progress is how far those of the runs are that have not finished.
func (s *server) progress(ctx context.Context, runs []archive.Run) (map[string]push.Progress, error) {
	var uids []string
	for _, run := range runs {
		if run.Finished.IsZero() && run.Deleted.IsZero() {
			uids = append(uids, run.UID)
		}
	}
	if len(uids) == 0 {
		return nil, nil
	}
	return s.store.Progress(ctx, uids)
}

type none struct{}

func (s *server) details(ctx context.Context, run archive.Run, _ *none) (*runOutput, error) {
	attempts, err := s.store.Attempts(ctx, run.UID)
	if err != nil {
		return nil, err
	}
	output := &runOutput{RunDetails{Run: runOf(run), Attempts: make([]Attempt, 0, len(attempts)), ReadOnly: s.store.ReadOnly()}}
	for _, attempt := range attempts {
		var streams Streams
		if streams.Output, err = s.streamOf(ctx, run, attempt, push.Stream{Kind: push.Output}); err != nil {
			return nil, err
		}
		if streams.Cases, err = s.streamOf(ctx, run, attempt, push.Stream{Kind: push.Cases}); err != nil {
			return nil, err
		}
		output.Body.Attempts = append(output.Body.Attempts, attemptOf(attempt, streams))
	}
	return output, nil
}

// streamOf says what is kept of a stream of an attempt.
func (s *server) streamOf(ctx context.Context, run archive.Run, attempt archive.Attempt, stream push.Stream) (Stream, error) {
	state, err := s.store.Stream(ctx, run.UID, attempt.Number, stream)
	switch {
	case errors.Is(err, archive.ErrNotFound):
		return streamOf(nil, isLive(run, attempt)), nil
	case err != nil:
		return Stream{}, err
	}
	return streamOf(&state, isLive(run, attempt)), nil
}

// isLive says whether more may come of an attempt.
func isLive(run archive.Run, attempt archive.Attempt) bool {
	return !attempt.Ended && attempt.Finished.IsZero() && run.Finished.IsZero() && run.Deleted.IsZero()
}

var errNoAttempt = huma.Error404NotFound("The run has had no attempt yet.")

// attempt finds an attempt of a run by its number; the last one, if that is 0.
func (s *server) attempt(ctx context.Context, run archive.Run, number int32) (archive.Attempt, error) {
	attempts, err := s.store.Attempts(ctx, run.UID)
	if err != nil {
		return archive.Attempt{}, err
	}
	var found archive.Attempt
	for _, attempt := range attempts {
		if attempt.Number == number || number == 0 && attempt.Number > found.Number {
			found = attempt
		}
	}
	switch {
	case found.Number != 0:
		return found, nil
	case number == 0:
		return found, errNoAttempt
	default:
		return found, huma.Error404NotFound(fmt.Sprintf("The run has no attempt %d.", number))
	}
}

type objectOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

func (s *server) object(ctx context.Context, run archive.Run, _ *none) (*objectOutput, error) {
	packed, err := s.store.Object(ctx, run.UID)
	if err != nil {
		return nil, err
	}
	text, err := unpack(packed)
	if err != nil {
		return nil, fmt.Errorf("the object of run %s: %w", run.UID, err)
	}
	return &objectOutput{"application/json", text}, nil
}

// answersObject describes an answer that is JSON, but not ours.
func answersObject(description string) func(*huma.Operation) {
	return func(o *huma.Operation) {
		object := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true}
		o.Responses = map[string]*huma.Response{"200": {Description: description, Content: map[string]*huma.MediaType{"application/json": {Schema: object}}}}
	}
}
