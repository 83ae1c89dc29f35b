package web

import (
	"context"
	"errors"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
)

// lastPassed names the newest older run of the series that passed.
const lastPassed = "lastPassed"

type compareInput struct {
	OfAttempt
	With string `query:"with" default:"lastPassed" maxLength:"253" doc:"The UID of a run of the same series, or lastPassed: the newest run before this one that passed."`
	Paged
}

// Difference is a case that ended otherwise in another run.
type Difference struct {
	Number  int64   `json:"number,omitempty" doc:"That of the case in this run; none if this run does not have it."`
	Suite   string  `json:"suite,omitempty"`
	Name    string  `json:"name"`
	Outcome string  `json:"outcome,omitempty" doc:"How it ended in this run; none if this run does not have it."`
	Was     string  `json:"was,omitempty" doc:"How it ended in the other run; none if that does not have it."`
	Seconds float64 `json:"seconds,omitempty"`
	Message string  `json:"message,omitempty" doc:"Why it did not pass in this run."`
}

// Comparison is a page of the cases that ended otherwise in another run: first those of this run, then those that only the other has.
type Comparison struct {
	Attempt     int32        `json:"attempt"`
	With        Run          `json:"with" doc:"The other run."`
	WithAttempt int32        `json:"withAttempt" doc:"Its last attempt, which is compared."`
	Items       []Difference `json:"items" nullable:"false"`
	Page
}

type compareOutput struct{ Body Comparison }

// differencePlace is a place in a comparison. Gone means that it is among those that only the other run has.
type differencePlace struct {
	Gone   bool  `json:"g,omitempty"`
	Number int64 `json:"n"`
}

func (s *server) registerCompare(api huma.API) {
	ofRun(s, api, operation{
		id: "compare-run", path: "/compare", summary: "Compare a run with another",
		description: "The cases that ended otherwise in another run of the series: in the last attempts of both, or in one that is named of this run.",
	}, s.compare)
}

func (s *server) compare(ctx context.Context, run archive.Run, input *compareInput) (*compareOutput, error) {
	var place differencePlace
	if err := afterCursor(input.After, &place); err != nil {
		return nil, err
	}
	attempt, err := s.attempt(ctx, run, input.Attempt)
	if err != nil {
		return nil, err
	}
	other, err := s.otherRun(ctx, run, input.With)
	if err != nil {
		return nil, err
	}
	otherAttempt, err := s.attempt(ctx, other, 0)
	if errors.Is(err, errNoAttempt) {
		return nil, huma.Error404NotFound("The run to compare with has had no attempt.")
	}
	if err != nil {
		return nil, err
	}
	found, more, err := s.store.Compare(ctx, archive.CompareQuery{
		UID: run.UID, Attempt: attempt.Number, With: other.UID, WithAttempt: otherAttempt.Number,
		Gone: place.Gone, After: place.Number, Limit: input.Limit,
	})
	if err != nil {
		return nil, err
	}
	output := &compareOutput{Comparison{Attempt: attempt.Number, With: runOf(other), WithAttempt: otherAttempt.Number, Items: make([]Difference, 0, len(found))}}
	for _, d := range found {
		shown := Difference{Suite: d.Suite, Name: d.Name, Outcome: string(d.Outcome), Was: string(d.Was), Seconds: d.Duration.Seconds(), Message: d.Message}
		if !d.Gone {
			shown.Number = d.Number
		}
		output.Body.Items = append(output.Body.Items, shown)
	}
	if more && len(found) > 0 {
		last := found[len(found)-1]
		output.Body.Next = cursor(differencePlace{last.Gone, last.Number})
	}
	return output, nil
}

// otherRun is the run to compare with.
func (s *server) otherRun(ctx context.Context, run archive.Run, with string) (archive.Run, error) {
	if with != lastPassed {
		other, err := s.run(ctx, "", "", with)
		if err == nil && (other.Namespace != run.Namespace || other.Series != run.Series) {
			err = huma.Error400BadRequest("These runs are of different series, which have no case in common. Name a run of the same Test.")
		}
		return other, err
	}
	filter := archive.Filter{Namespaces: []string{run.Namespace}, Series: run.Series, Verdict: "Passed"}
	runs, _, err := s.store.Runs(ctx, filter, archive.Page{After: run.Key(), Limit: 1})
	if err != nil {
		return archive.Run{}, err
	}
	if len(runs) == 0 {
		return archive.Run{}, huma.Error404NotFound("No run of the series before this one has passed.")
	}
	return runs[0], nil
}
