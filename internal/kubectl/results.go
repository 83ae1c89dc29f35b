package kubectl

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"sigs.k8s.io/yaml"

	v1alpha1 "github.com/testrun-dev/testrun/api/v1alpha1"
	"github.com/testrun-dev/testrun/internal/kubectl/remote"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// mostCases is how many cases are read of a run.
const mostCases = 100_000

func (a *app) resultsCommand() *cobra.Command {
	var output string
	var attempt int32
	var all bool
	command := &cobra.Command{
		Use: "results RUN", Short: "Show the cases of a run, failures first",
		Long: `Show the cases of a run: those that failed first, then flaky ones. --all shows those that passed too.

The object holds up to 50 cases. Where the server of the archive is installed, all are shown, with which failures are new and
since when the others fail. junit and tap write all cases in the formats of other tools; a run that did not pass although no
case failed has one more there, which says why.`,
		Example: "  kubectl testrun results checkout-x7k2p\n  kubectl testrun results checkout-x7k2p -o junit > results.xml",
		Args:    exactly(1, "the name of a run"), ValidArgsFunction: first(a.completeRuns(nil)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if attempt < 0 {
				return usage("--attempt is %d: attempts are counted from 1", attempt)
			}
			c, run, err := a.withRun(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			results, err := c.results(cmd.Context(), run, attempt, output != "")
			if err != nil {
				return err
			}
			return c.showResults(results, output, all)
		},
	}
	command.Flags().Int32Var(&attempt, "attempt", 0, "Number of the attempt; the last one if left out")
	command.Flags().BoolVar(&all, "all", false, "Show cases that passed or were skipped too")
	addOutput(command, &output, "wide", "junit", "tap", "json", "yaml")
	return command
}

// results are the cases of an attempt: those of the object, or all that the archive has. whole says that a note has no place in the output.
func (c *cluster) results(ctx context.Context, run show.Run, attempt int32, whole bool) (show.Results, error) {
	own := show.CasesOf(run)
	last := attempt == 0 || attempt == own.Attempt
	if last && !mayBeMore(run, own) {
		return own, nil
	}
	kept, err := c.keptResults(ctx, run, attempt)
	switch {
	case err == nil && last && kept.Total() < own.Total():
		return own, nil // the archive has not heard of all yet
	case err == nil:
		return kept, nil
	case !last:
		return own, fmt.Errorf("the object holds the cases of its last attempt alone, and the archive cannot be asked for others: %w", err)
	case int64(len(own.Cases)) < own.Total():
		own.Note = fmt.Sprintf("These are %d of %s: the object holds no more, and the archive cannot be asked: %v.", len(own.Cases), count(int(own.Total()), "case"), err)
		if whole {
			c.note("%s", own.Note)
		}
	}
	return own, nil
}

// mayBeMore says whether the archive may know more of the cases than the object: all of them, or how those that failed stand to the run before.
func mayBeMore(run show.Run, own show.Results) bool {
	return run.Gone != nil || int64(len(own.Cases)) < own.Total() || own.Failed+own.Errored+own.Flaky > 0
}

// keptResults are the cases of an attempt as the archive has them.
func (c *cluster) keptResults(ctx context.Context, run show.Run, attempt int32) (show.Results, error) {
	archive, err := c.openArchive(ctx)
	if err != nil {
		return show.Results{}, err
	}
	cases, of, whole, err := archive.Cases(ctx, string(run.UID), attempt, mostCases)
	if err != nil {
		return show.Results{}, err
	}
	r := show.Results{Run: run, Attempt: of}
	for _, k := range cases {
		seen := caseOf(k)
		r.Cases = append(r.Cases, seen)
		switch v1alpha1.Outcome(seen.Outcome) {
		case v1alpha1.OutcomePassed:
			r.Passed++
			if seen.Flaky {
				r.Flaky++
			}
		case v1alpha1.OutcomeFailed:
			r.Failed++
		case v1alpha1.OutcomeErrored:
			r.Errored++
		case v1alpha1.OutcomeSkipped:
			r.Skipped++
		}
	}
	if !whole {
		r.Note = "The archive does not have all cases of this attempt."
	}
	return r, nil
}

func caseOf(k remote.ArchivedCase) show.Case {
	c := show.Case{
		Suite: k.Suite, Name: k.Name, Outcome: k.Outcome, Location: k.Location, Message: k.Message, Flaky: k.Flaky, Mark: k.Mark,
		Took: time.Duration(k.Seconds * float64(time.Second)),
	}
	if k.FailingSince != nil {
		c.Since = k.FailingSince.Run
	}
	return c
}

// jsonResults are results for programs.
type jsonResults struct {
	Run       string     `json:"run"`
	Namespace string     `json:"namespace"`
	Attempt   int32      `json:"attempt,omitempty"`
	State     string     `json:"state"`
	Passed    int64      `json:"passed"`
	Failed    int64      `json:"failed"`
	Errored   int64      `json:"errored"`
	Skipped   int64      `json:"skipped"`
	Flaky     int64      `json:"flaky"`
	Note      string     `json:"note,omitempty"`
	Cases     []jsonCase `json:"cases"`
}

type jsonCase struct {
	Suite        string  `json:"suite,omitempty"`
	Name         string  `json:"name"`
	Outcome      string  `json:"outcome"`
	Seconds      float64 `json:"seconds,omitempty"`
	Location     string  `json:"location,omitempty"`
	Message      string  `json:"message,omitempty"`
	Flaky        bool    `json:"flaky,omitempty"`
	Mark         string  `json:"mark,omitempty"`
	FailingSince string  `json:"failingSince,omitempty"`
}

func (c *cluster) showResults(r show.Results, output string, all bool) error {
	switch output {
	case "junit":
		return show.JUnit(c.Out, r)
	case "tap":
		show.TAP(c.Out, r)
		return nil
	case "json", "yaml":
		return c.printJSON(output, jsonOf(r))
	}
	look(c.Out).Results(c.Out, r, c.now(), all || output == "wide")
	return nil
}

func jsonOf(r show.Results) jsonResults {
	out := jsonResults{
		Run: r.Run.Name, Namespace: r.Run.Namespace, Attempt: r.Attempt, State: show.State(r.Run.TestRun), Passed: r.Passed, Failed: r.Failed,
		Errored: r.Errored, Skipped: r.Skipped, Flaky: r.Flaky, Note: r.Note, Cases: []jsonCase{},
	}
	r.FailuresFirst()
	for _, k := range r.Cases {
		out.Cases = append(out.Cases, jsonCase{k.Suite, k.Name, k.Outcome, k.Took.Seconds(), k.Location, k.Message, k.Flaky, k.Mark, k.Since})
	}
	return out
}

// printJSON prints what is no object of Kubernetes.
func (a *app) printJSON(output string, what any) error {
	text, err := json.MarshalIndent(what, "", "  ")
	if err == nil && output == "yaml" {
		text, err = yaml.JSONToYAML(text)
	} else {
		text = append(text, '\n')
	}
	if err == nil {
		_, err = a.Out.Write(text)
	}
	return err
}
