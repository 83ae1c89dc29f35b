package web

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/results"
)

// Case is how a case ended in an attempt.
type Case struct {
	Number   int64   `json:"number" doc:"Counts the cases of the attempt from 1."`
	Suite    string  `json:"suite,omitempty"`
	Name     string  `json:"name"`
	Outcome  string  `json:"outcome" doc:"Passed, Failed, Errored or Skipped."`
	Seconds  float64 `json:"seconds,omitempty" doc:"How long it took; none if nothing says so."`
	Location string  `json:"location,omitempty"`
	Message  string  `json:"message,omitempty" doc:"Why it did not pass."`
	Flaky    bool    `json:"flaky,omitempty" doc:"It passed after it had failed in the same run."`

	Mark         string  `json:"mark,omitempty" enum:"new,failing,fixed,flaky" doc:"What is remarkable, compared with the run before in which it was not skipped: new (it fails, and did not before), failing (it fails as before), fixed (it passed, and failed before), flaky (it passed after it had failed in the same run). Once the case has ended in a newer run of the series, or in a later attempt, only flaky is said here: its history says the rest."`
	FailingSince *RunRef `json:"failingSince,omitempty" doc:"Since which run it fails, if it failed before."`
}

// RunRef names a run.
type RunRef struct {
	UID     string    `json:"uid,omitempty" doc:"None if the run is not kept any more."`
	Run     string    `json:"run,omitempty"`
	Created time.Time `json:"created"`
}

func refOf(ref archive.RunRef) *RunRef {
	if ref == (archive.RunRef{}) {
		return nil
	}
	return &RunRef{ref.UID, ref.Name, ref.Created.UTC()}
}

// OfAttempt is the parameter that names an attempt.
type OfAttempt struct {
	Attempt int32 `query:"attempt" minimum:"1" doc:"The number of the attempt. Without it, it is the last one."`
}

type casesInput struct {
	OfAttempt
	Outcome []string `query:"outcome" maxItems:"4" enum:"Passed,Failed,Errored,Skipped" doc:"Only cases that ended so; several with commas between them."`
	Paged
}

// CaseList is a page of cases, in the order in which the test reported them.
type CaseList struct {
	Attempt int32  `json:"attempt"`
	Kept    Stream `json:"kept" doc:"How much of the attempt's cases is kept."`
	Items   []Case `json:"items" nullable:"false"`
	Page
}

type casesOutput struct{ Body CaseList }

type casePlace struct {
	Number int64 `json:"n"`
}

func (s *server) registerCases(api huma.API) {
	ofRun(s, api, operation{
		id: "list-cases", path: "/cases", summary: "The cases of a run", description: "Those of one attempt, in the order in which the test reported them.",
	}, s.cases)
	ofNamespace(s, api, inNamespace+"/series/{series}", operation{
		id: "get-case-history", path: "/case", summary: "The history of a case", description: "How the case of that name ended in the runs of the series, the newest first.",
	}, s.history)
	ofNamespace(s, api, inNamespace+"/series/{series}", operation{
		id: "get-case-trend", path: "/case/trend", summary: "The trend of a case", description: "A case by day, the oldest first. Days without a run are left out.",
	}, s.caseTrend)
}

func (s *server) cases(ctx context.Context, run archive.Run, input *casesInput) (*casesOutput, error) {
	var place casePlace
	if err := afterCursor(input.After, &place); err != nil {
		return nil, err
	}
	attempt, err := s.attempt(ctx, run, input.Attempt)
	if err != nil {
		return nil, err
	}
	kept, err := s.streamOf(ctx, run, attempt, push.Stream{Kind: push.Cases})
	if err != nil {
		return nil, err
	}
	query := archive.CaseQuery{UID: run.UID, Attempt: attempt.Number, After: place.Number, Limit: input.Limit}
	for _, outcome := range input.Outcome {
		query.Outcomes = append(query.Outcomes, results.Outcome(outcome))
	}
	cases, more, err := s.store.Cases(ctx, query)
	if err != nil {
		return nil, err
	}
	output := &casesOutput{CaseList{Attempt: attempt.Number, Kept: kept, Items: make([]Case, 0, len(cases))}}
	for _, c := range cases {
		output.Body.Items = append(output.Body.Items, Case{
			Number: c.Number, Suite: c.Suite, Name: c.Name, Outcome: string(c.Outcome), Seconds: c.Duration.Seconds(),
			Location: c.Location, Message: c.Message, Flaky: c.Flaky, Mark: string(c.Mark), FailingSince: refOf(c.FailingSince),
		})
	}
	if more && len(cases) > 0 {
		output.Body.Next = cursor(casePlace{cases[len(cases)-1].Number})
	}
	return output, nil
}

// Named are the parameters that name a case.
type Named struct {
	Suite string `query:"suite" maxLength:"4096" doc:"The suite of the case, if it has one."`
	Name  string `query:"name" required:"true" maxLength:"4096" doc:"The name of the case."`
}

func (n Named) in(where place) (archive.CaseName, error) {
	if !isText(n.Suite) || !isText(n.Name) {
		return archive.CaseName{}, errNothing
	}
	return archive.CaseName{Namespace: where.namespace, Series: where.series, Suite: n.Suite, Name: n.Name}, nil
}

type historyInput struct {
	Named
	Paged
}

// CaseOutcome is how a case ended in one attempt of one run.
type CaseOutcome struct {
	UID     string    `json:"uid" doc:"The run's."`
	Run     string    `json:"run"`
	Attempt int32     `json:"attempt"`
	Created time.Time `json:"created" doc:"When the run was created."`
	Outcome string    `json:"outcome"`
	Flaky   bool      `json:"flaky,omitempty"`
	Seconds float64   `json:"seconds,omitempty"`
	Message string    `json:"message,omitempty"`
}

// CaseHistory is a page of the history of a case, the newest first.
type CaseHistory struct {
	Items []CaseOutcome `json:"items" nullable:"false"`
	Page
}

type historyOutput struct{ Body CaseHistory }

type historyPlace struct {
	runPlace
	Attempt int32 `json:"a"`
	Number  int64 `json:"n"`
}

func (s *server) history(ctx context.Context, where place, input *historyInput) (*historyOutput, error) {
	name, err := input.in(where)
	if err != nil {
		return nil, err
	}
	var place historyPlace
	if err := afterCursor(input.After, &place); err != nil {
		return nil, err
	}
	var after archive.HistoryKey
	if input.After != "" && isText(place.UID) {
		after = archive.HistoryKey{Created: time.UnixMicro(place.Microseconds).UTC(), UID: place.UID, Attempt: place.Attempt, Number: place.Number}
	}
	outcomes, more, err := s.store.CaseHistory(ctx, name, after, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &historyOutput{CaseHistory{Items: make([]CaseOutcome, 0, len(outcomes))}}
	for _, o := range outcomes {
		output.Body.Items = append(output.Body.Items, CaseOutcome{
			UID: o.UID, Run: o.Run, Attempt: o.Attempt, Created: o.Created.UTC(), Outcome: string(o.Outcome), Flaky: o.Flaky,
			Seconds: o.Duration.Seconds(), Message: o.Message,
		})
	}
	if more && len(outcomes) > 0 {
		key := outcomes[len(outcomes)-1].Key()
		output.Body.Next = cursor(historyPlace{runPlace{key.Created.UnixMicro(), key.UID}, key.Attempt, key.Number})
	}
	return output, nil
}
