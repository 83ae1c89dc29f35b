package kubectl

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
	"k8s.io/apimachinery/pkg/types"

	"github.com/testrun-dev/testrun/internal/kubectl/remote"
	"github.com/testrun-dev/testrun/internal/kubectl/show"
)

func (a *app) watchCommand() *cobra.Command {
	selected := &selectFlags{}
	command := &cobra.Command{
		Use: "watch [RUN...]", Short: "Watch runs as they change, on one live screen",
		Long: `Watch runs as they change, on one live screen. Ctrl-C ends it, and no run. With names of runs it ends when they have
finished. Where there is no terminal, or one that can only print lines (TERM=dumb), it prints a line for each change.

Where the server of the archive is installed, CASES says how far each test is.`,
		Example:           "  kubectl testrun watch\n  kubectl testrun watch -A --state=Pending,InProgress",
		ValidArgsFunction: a.completeRuns(isLive),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, names, err := a.with(testRuns, args)
			if err != nil {
				return err
			}
			s, err := selected.selection(c, names)
			if err != nil {
				return err
			}
			return c.watch(cmd.Context(), s)
		},
	}
	selected.add(a, command)
	return command
}

// How often a screen is drawn anew although nothing changed, so that times go on; how fast changes are drawn at most; and how often the
// archive is asked how far the tests are.
const (
	redraw   = time.Second
	fastest  = 100 * time.Millisecond
	progress = 2 * time.Second
)

// watch shows the runs until ctx ends, or until those that were named have finished.
func (c *cluster) watch(ctx context.Context, s selection) error {
	if len(s.names) > 0 {
		runs, err := c.wanted(ctx, s)
		if err != nil {
			return err
		}
		gone := slices.DeleteFunc(runs, func(run show.Run) bool { return run.Gone == nil })
		for _, run := range gone {
			c.tell(c.Out, run)
		}
		if len(gone) == len(s.names) {
			return nil
		}
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	screen := c.painter()
	defer screen.end()
	seen := make(chan []show.Run, 1)
	ended := make(chan error, 1)
	go func() {
		ended <- c.follow(ctx, s, func(f *followed) error {
			select { // only the newest state matters
			case <-seen:
			default:
			}
			seen <- f.sorted()
			return nil
		})
	}()
	reports := c.reports(ctx, s)
	return c.paint(ctx, s, screen, seen, reports, ended)
}

// painter shows runs.
type painter interface {
	paint(runs []show.Run, title string, namespaces bool)
	end()
}

// painter is a live screen, where there is a terminal for it.
func (c *cluster) painter() painter {
	file, ok := terminal(c.Out)
	if !ok {
		return &lines{cluster: c, said: map[types.UID]string{}}
	}
	screen := &live{cluster: c, size: func() (int, int) {
		width, height, err := term.GetSize(int(file.Fd()))
		if err != nil {
			return 0, 0
		}
		return width, height
	}}
	c.trouble = func(what string) { screen.trouble.Store(what) } // a line of its own would be drawn over
	return screen
}

func (c *cluster) paint(ctx context.Context, s selection, screen painter, seen <-chan []show.Run, reports <-chan map[types.UID]show.Progress, ended <-chan error) error {
	var runs []show.Run
	far := map[types.UID]show.Progress{}
	tick := time.NewTicker(redraw)
	defer tick.Stop()
	for {
		select {
		case err := <-ended:
			if errors.Is(err, context.Canceled) {
				return &exit{ExitInterrupted, nil}
			}
			return err
		case runs = <-seen:
		case far = <-reports:
		case <-tick.C:
		}
		if runs == nil {
			continue
		}
		for i := range runs {
			if p, ok := far[runs[i].UID]; ok {
				runs[i].Progress = &p
			}
		}
		screen.paint(unfinishedFirst(runs), c.title(s), s.namespace == "")
		if len(s.names) > 0 && allFinished(runs) {
			return nil
		}
		select {
		case <-ctx.Done():
		case <-time.After(fastest):
		}
	}
}

func (c *cluster) title(s selection) string {
	where := "namespace " + s.namespace
	if s.namespace == "" {
		where = "all namespaces"
	}
	return fmt.Sprintf("Runs of %s, %s. Ctrl-C ends this.", where, c.now().Format(time.TimeOnly))
}

func allFinished(runs []show.Run) bool {
	for _, run := range runs {
		if !show.IsFinished(run.TestRun) && run.Gone == nil {
			return false
		}
	}
	return true
}

// unfinishedFirst puts those first that are still under way.
func unfinishedFirst(runs []show.Run) []show.Run {
	var first, rest []show.Run
	for _, run := range runs {
		if show.IsFinished(run.TestRun) || run.Gone != nil {
			rest = append(rest, run)
		} else {
			first = append(first, run)
		}
	}
	return append(first, rest...)
}

// reports says from time to time how far the tests are, if there is an archive that knows.
func (c *cluster) reports(ctx context.Context, s selection) <-chan map[types.UID]show.Progress {
	reports := make(chan map[types.UID]show.Progress, 1)
	go func() {
		for {
			archive, err := c.openArchive(ctx)
			if err != nil {
				return
			}
			far, err := farOf(ctx, archive, s)
			c.lostArchive(err)
			if err == nil {
				select {
				case reports <- far:
				case <-ctx.Done():
				}
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(progress):
			}
		}
	}()
	return reports
}

func farOf(ctx context.Context, archive *remote.Archive, s selection) (map[types.UID]show.Progress, error) {
	const most = 100
	runs, _, err := archive.Runs(ctx, s.namespace, url.Values{"state": {"InProgress"}}, most)
	far := map[types.UID]show.Progress{}
	for _, run := range runs {
		if run.Progress != nil {
			far[types.UID(run.UID)] = show.Progress(*run.Progress)
		}
	}
	return far, err
}

// live is a screen that is drawn anew in its place.
type live struct {
	*cluster
	size  func() (width, height int)
	drawn bool
	// last is what was drawn last.
	last string
	// trouble says that the cluster does not answer; empty if it does.
	trouble atomic.Value
}

// The escape sequences of ECMA-48 that a live screen takes: to an alternate screen and back, the cursor hidden and shown, to the first
// place, and clear to the end of the line or of the screen.
const (
	enter     = "\x1b[?1049h\x1b[?25l"
	leave     = "\x1b[?25h\x1b[?1049l"
	home      = "\x1b[H"
	clearLine = "\x1b[K"
	clearRest = "\x1b[J"
)

func (l *live) paint(runs []show.Run, title string, namespaces bool) {
	width, height := l.size()
	look := look(l.Out)
	look.Width = width
	if what, _ := l.trouble.Load().(string); what != "" {
		title = l.now().Format(time.TimeOnly) + " " + what
	}
	text := home
	if !l.drawn {
		text = enter + home
		l.drawn = true
	}
	picture := look.Screen(runs, l.now(), title, height, namespaces)
	text += strings.ReplaceAll(picture, "\n", clearLine+"\r\n") + clearRest
	fmt.Fprint(l.Out, text)
	l.last = picture
}

// end leaves what was shown last where the command was typed.
func (l *live) end() {
	if l.drawn {
		fmt.Fprint(l.Out, leave+l.last)
	}
}

// lines is for what is no screen: a line for each change.
type lines struct {
	*cluster
	said map[types.UID]string
}

func (l *lines) paint(runs []show.Run, _ string, namespaces bool) {
	for i := len(runs) - 1; i >= 0; i-- { // the oldest first, as they came
		run := runs[i]
		brief := show.State(run.TestRun) + show.Reason(run.TestRun)
		if run.Gone != nil {
			brief += " gone"
		}
		if l.said[run.UID] == brief {
			continue
		}
		l.said[run.UID] = brief
		text := look(l.Out).Brief(run, l.now())
		if namespaces {
			text = run.Namespace + "/" + text
		}
		if run.Gone != nil {
			text += " It is not in the cluster any more."
		}
		fmt.Fprintln(l.Out, text)
	}
	there := map[types.UID]bool{}
	for _, run := range runs {
		there[run.UID] = true
	}
	maps.DeleteFunc(l.said, func(uid types.UID, _ string) bool { return !there[uid] })
}

func (l *lines) end() {}
