package kubectl

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

// selectFlags are those that select runs.
type selectFlags struct {
	everywhere                  bool
	labels, fields, test, queue string
	states                      []string
}

func (f *selectFlags) add(a *app, command *cobra.Command) {
	flags := command.Flags()
	flags.BoolVarP(&f.everywhere, "all-namespaces", "A", false, "Runs of all namespaces")
	flags.StringVarP(&f.labels, "selector", "l", "", "Only runs with these labels, such as commit=4f2a9c1")
	flags.StringVar(&f.fields, "field-selector", "", "Only runs with these fields, such as status.verdict=Failed")
	flags.StringVar(&f.test, "test", "", "Only runs of this Test, also those that repeat others")
	flags.StringVar(&f.queue, "queue", "", "Only runs of this TestQueue")
	flags.StringSliceVar(&f.states, "state", nil, "Only runs in these states: "+strings.Join(show.States, ", "))
	_ = command.RegisterFlagCompletionFunc("test", a.completeTests) // the flags exist
	_ = command.RegisterFlagCompletionFunc("queue", a.completeQueues)
	_ = command.RegisterFlagCompletionFunc("state", completeStates)
}

// selection is what the flags select in the cluster, and the names of runs.
func (f *selectFlags) selection(c *cluster, names []string) (selection, error) {
	s := selection{namespace: c.namespace, names: names, labels: f.labels, fields: f.fields, test: strings.TrimPrefix(f.test, "test/"), queue: f.queue}
	if f.everywhere {
		if s.namespace = ""; len(names) > 0 {
			return s, usage("a name is that of a run in one namespace: leave out -A, or the name")
		}
	}
	if err := s.check(); err != nil {
		return s, err
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

// check refuses selectors that cannot be read.
func (s selection) check() error {
	if _, err := labels.Parse(s.labels); err != nil {
		return usage("-l %s cannot be read: %w. Write KEY=VALUE, such as -l commit=4f2a9c1", s.labels, err)
	}
	if _, err := fields.ParseSelector(s.fields); err != nil {
		return usage("--field-selector %s cannot be read: %w. Write FIELD=VALUE, such as --field-selector status.verdict=Failed", s.fields, err)
	}
	return nil
}

// checkArchived refuses what the archive cannot select by.
func (s selection) checkArchived() error {
	switch key, value, _ := strings.Cut(s.labels, "="); {
	case s.fields != "":
		return usage("the archive does not know --field-selector: select with --state, --test, --queue or -l")
	case s.labels != "" && (value == "" || strings.ContainsAny(key+value, "=,!() ")):
		return usage("the archive selects by one label: write -l KEY=VALUE, and not -l %s", s.labels)
	case len(s.names) > 0:
		return usage("--archived lists all runs: leave out the names. kubectl testrun why NAME finds a run that is gone without being asked to")
	}
	return nil
}

// listFlags are those of the command list.
type listFlags struct {
	selectFlags
	archived, watch bool
	limit           int
	output          string
}

func (a *app) listCommand() *cobra.Command {
	f := &listFlags{}
	command := &cobra.Command{
		Use: "list [RUN...]", Aliases: []string{"ls", "get"}, Short: "List runs, the newest first",
		Long: `List runs, the newest first. --archived lists what the archive has, also runs that are gone from the cluster; it takes one
label as -l KEY=VALUE. -w goes on watching, as the command watch does.`,
		Example: "  kubectl testrun list --state=Failed,Error\n  kubectl testrun list --archived --test=checkout --limit=20",
		PreRunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case f.limit < 1:
				return usage("--limit is %d: it has to be at least 1", f.limit)
			case cmd.Flags().Changed("limit") && !f.archived:
				return usage("--limit is for --archived: the cluster's own runs are all listed")
			case f.watch && f.archived:
				return usage("the archive's list cannot be watched: leave out --archived, or -w")
			case f.watch && f.output != "":
				return usage("-w shows a screen, or a line for each change: leave out -o")
			}
			return nil
		},
		ValidArgsFunction: a.completeRuns(nil),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, names, err := a.with(testRuns, args)
			if err != nil {
				return err
			}
			s, err := f.selection(c, names)
			if err != nil {
				return err
			}
			if s.limit = f.limit; f.watch {
				return c.watch(cmd.Context(), s)
			}
			return c.listRuns(cmd.Context(), s, f.archived, f.output)
		},
	}
	f.add(a, command)
	command.Flags().BoolVarP(&f.watch, "watch", "w", false, "Go on watching as they change")
	command.Flags().BoolVar(&f.archived, "archived", false, "List what the archive has, also runs that are gone")
	command.Flags().IntVar(&f.limit, "limit", 100, "With --archived: how many runs to list at most")
	addOutput(command, &f.output, append([]string{"wide"}, objectFormats...)...)
	return command
}

func (c *cluster) listRuns(ctx context.Context, s selection, archived bool, output string) error {
	runs, more, err := c.listed(ctx, s, archived, output)
	object := output != "" && output != "wide"
	switch {
	case err != nil:
		return err
	case object && len(s.names) == 1:
		return c.print(output, runs[0].TestRun)
	case object:
		return c.print(output, listOf(runs))
	}
	if len(runs) == 0 {
		c.note("%s", noRuns(s))
		return nil
	}
	look(c.Out).Runs(c.Out, runs, c.now(), output == "wide", s.namespace == "")
	if more {
		c.note("There are more: --limit=%d shows twice as many.", 2*s.limit)
	}
	return nil
}

// listed are the runs of a list. more says that the archive has others.
func (c *cluster) listed(ctx context.Context, s selection, archived bool, output string) (runs []show.Run, more bool, err error) {
	if !archived && len(s.names) > 0 {
		runs, err = c.wanted(ctx, s)
		return runs, false, err
	}
	if !archived {
		runs, err = c.runs(ctx, s)
		return runs, false, err
	}
	if err := s.checkArchived(); err != nil {
		return nil, false, err
	}
	if runs, more, err = c.archivedRuns(ctx, s); err == nil && !slices.Contains([]string{"", "wide", "name"}, output) {
		err = c.wholeObjects(ctx, runs)
	}
	switch {
	case errors.Is(err, errArchiveOff):
		return nil, false, usage("--archived asks the archive: leave out --archive=none")
	case err != nil:
		return nil, false, fmt.Errorf("the archive cannot be asked: %w", err)
	}
	return runs, more, nil
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
	if s.labels+s.fields+s.test+s.queue != "" || len(s.states) > 0 {
		return "No run " + where + " is like that. Leave out some of what selects, or look with -A."
	}
	return "There are no runs " + where + ". kubectl testrun run TEST creates one; -A shows those of all namespaces, and --archived those that are gone."
}
