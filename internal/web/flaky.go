package web

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/testrun-dev/testrun/internal/archive"
)

type allFlakyInput struct {
	SomeNamespaces
	FlakySelected
}

func (s *server) registerFlaky(api huma.API) {
	overNamespaces(s, api, operation{
		id: "list-all-flaky-cases", path: "/flaky", summary: "The flaky cases of all namespaces",
		description: "Cases that change between passed and failed; those that did so most and most recently first.",
	}, func(input *allFlakyInput) []string { return input.Namespace }, func(ctx context.Context, namespaces []string, input *allFlakyInput) (*flakyOutput, error) {
		return s.flaky(ctx, namespaces, &input.FlakySelected)
	})
	ofNamespace(s, api, inNamespace, operation{
		id: "list-flaky-cases", path: "/flaky", summary: "The flaky cases of a namespace", description: "Cases that change between passed and failed; those that did so most and most recently first.",
	}, func(ctx context.Context, where place, input *FlakySelected) (*flakyOutput, error) {
		return s.flaky(ctx, []string{where.namespace}, input)
	})
}

// FlakyCase is a case that changes between passed and failed.
type FlakyCase struct {
	Namespace string   `json:"namespace"`
	Series    string   `json:"series"`
	Suite     string   `json:"suite,omitempty"`
	Name      string   `json:"name"`
	Heat      float64  `json:"heat" doc:"How often it changed, where what is long ago counts less."`
	Recent    float64  `json:"recentFlips" doc:"How often it changed, where a change counts half as much after each week."`
	Flips     int64    `json:"flips" doc:"How often it changed in all."`
	Streak    int64    `json:"streak" doc:"How many times in a row it has ended as it did last."`
	Last      LastCase `json:"last" doc:"The newest run with it."`
}

// LastCase is how a case ended last.
type LastCase struct {
	UID     string    `json:"uid"`
	Run     string    `json:"run"`
	Outcome string    `json:"outcome"`
	Created time.Time `json:"created"`
}

// FlakyList is a page of flaky cases.
type FlakyList struct {
	Items []FlakyCase `json:"items" nullable:"false"`
	Page
}

type flakyOutput struct{ Body FlakyList }

// FlakySelected are the parameters that select flaky cases.
type FlakySelected struct {
	Series string `query:"series" maxLength:"253" doc:"Only cases of this series."`
	Paged
}

type flakyPlace struct {
	Heat float64 `json:"h"`
	ID   int64   `json:"i"`
}

func (s *server) flaky(ctx context.Context, namespaces []string, input *FlakySelected) (*flakyOutput, error) {
	var place flakyPlace
	if err := afterCursor(input.After, &place); err != nil {
		return nil, err
	}
	if !isText(input.Series) {
		return &flakyOutput{FlakyList{Items: []FlakyCase{}}}, nil
	}
	filter := archive.Filter{Namespaces: namespaces, Series: input.Series}
	cases, more, err := s.store.Flaky(ctx, filter, archive.FlakyKey(place), input.Limit)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	output := &flakyOutput{FlakyList{Items: make([]FlakyCase, 0, len(cases))}}
	for _, c := range cases {
		output.Body.Items = append(output.Body.Items, FlakyCase{
			Namespace: c.Namespace, Series: c.Series, Suite: c.Suite, Name: c.Name, Heat: c.Heat, Recent: c.Recent(now), Flips: c.Flips, Streak: c.Streak,
			Last: LastCase{c.LastUID, c.LastRun, string(c.LastOutcome), c.LastCreated.UTC()},
		})
	}
	if more && len(cases) > 0 {
		last := cases[len(cases)-1]
		output.Body.Next = cursor(flakyPlace{last.Heat, last.ID})
	}
	return output, nil
}
