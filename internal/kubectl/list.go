package kubectl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// selectFlags are those that select runs.
type selectFlags struct {
	everywhere          bool
	labels, test, queue string
	states              []string
}

func (f *selectFlags) add(a *app, command *cobra.Command) {
	flags := command.Flags()
	flags.BoolVarP(&f.everywhere, "all-namespaces", "A", false, "Runs of all namespaces")
	flags.StringVarP(&f.labels, "selector", "l", "", "Only runs with these labels, such as commit=4f2a9c1")
	flags.StringVar(&f.test, "test", "", "Only runs of this Test")
	flags.StringVar(&f.queue, "queue", "", "Only runs of this TestQueue")
	flags.StringSliceVar(&f.states, "state", nil, "Only runs in these states: "+strings.Join(show.States, ", "))
	_ = command.RegisterFlagCompletionFunc("test", a.completeTests) // the flags exist
	_ = command.RegisterFlagCompletionFunc("queue", a.completeQueues)
	_ = command.RegisterFlagCompletionFunc("state", completeStates)
}

// selection is what the flags select in the cluster.
func (f *selectFlags) selection(c *cluster) (selection, error) {
	s := selection{namespace: c.namespace, labels: f.labels, test: f.test, queue: f.queue}
	if f.everywhere {
		s.namespace = ""
	}
	for _, state := range f.states {
		i := slices.IndexFunc(show.States, func(known string) bool { return strings.EqualFold(known, state) })
		if i < 0 {
			return s, usage("%s", sentences(fmt.Sprintf("--state takes %s, and not %q", strings.Join(show.States, ", "), state), didYouMean(state, show.States)))
		}
		s.states = append(s.states, show.States[i])
	}
	return s, nil
}

func (a *app) listCommand() *cobra.Command {
	selected := &selectFlags{}
	var output string
	var archived bool
	var limit int
	command := &cobra.Command{
		Use: "list", Aliases: []string{"ls", "get"}, Short: "List runs, the newest first",
		Long: `List runs, the newest first. --archived lists what the archive has, also runs that are gone from the cluster; it takes one
label as -l KEY=VALUE.`,
		Example: "  kubectl testrun list --state=Failed,Error\n  kubectl testrun list --archived --test=checkout --limit=20",
		Args:    exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.cluster()
			if err != nil {
				return err
			}
			s, err := selected.selection(c)
			if err != nil {
				return err
			}
			if s.limit = limit; limit < 1 {
				return usage("--limit is %d: write how many runs to list, 1 or more", limit)
			}
			return c.listRuns(cmd.Context(), s, archived, output)
		},
	}
	selected.add(a, command)
	command.Flags().BoolVar(&archived, "archived", false, "List what the archive has, also runs that are gone")
	command.Flags().IntVar(&limit, "limit", 100, "With --archived: how many runs to list at most")
	addOutput(command, &output, append([]string{"wide"}, objectFormats...)...)
	return command
}

func (c *cluster) listRuns(ctx context.Context, s selection, archived bool, output string) error {
	var runs []show.Run
	var more bool
	var err error
	if archived {
		if runs, more, err = c.archivedRuns(ctx, s); err == nil && (output == "json" || output == "yaml") {
			err = c.wholeObjects(ctx, runs)
		}
	} else {
		runs, err = c.runs(ctx, s)
	}
	switch {
	case errors.Is(err, errArchiveOff):
		return usage("--archived asks the archive: leave out --archive=none")
	case err != nil && archived:
		return fmt.Errorf("the archive cannot be asked: %w", err)
	case err != nil:
		return err
	}
	if slices.Contains(objectFormats, output) {
		return c.print(output, listOf(runs))
	}
	if len(runs) == 0 {
		c.note("%s", noRuns(s))
		return nil
	}
	look := c.look()
	look.Runs(c.Out, runs, c.now(), output == "wide", s.namespace == "")
	if more {
		c.note("There are more: --limit=%d shows twice as many.", 2*s.limit)
	}
	return nil
}

// wholeObjects takes the whole object of each run of a list.
func (c *cluster) wholeObjects(ctx context.Context, runs []show.Run) error {
	archive, err := c.openArchive(ctx)
	if err != nil {
		return err
	}
	for i := range runs {
		run, err := archive.Object(ctx, string(runs[i].UID))
		if err != nil {
			return err
		}
		setKind(run)
		runs[i].TestRun = run
	}
	return nil
}

func noRuns(s selection) string {
	where := "in namespace " + s.namespace
	if s.namespace == "" {
		where = "in any namespace"
	}
	if s.labels+s.test+s.queue != "" || len(s.states) > 0 {
		return "No run " + where + " is like that. Leave out some of what selects, or look with -A."
	}
	return "There are no runs " + where + ". kubectl testrun run TEST creates one; -A shows those of all namespaces, and --archived those that are gone."
}
