package gotest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/testrun-dev/testrun/internal/results"
)

// maxBuilds bounds the builds whose output is kept.
const maxBuilds = 64

// stream is the test's stdout or stderr. heading names the build that the lines of text are about; empty if none does.
type stream struct {
	lines   results.Lines
	heading string
}

// builds is the output of the latest builds. It says why a build failed.
type builds struct {
	kept []*build
}

type build struct {
	// id is that of the package, and of the test that it was built for: "p", "p [p.test]" or "p_test [p.test]".
	id     string
	output excerpt
	// used means that it explains why a package failed.
	used bool
}

// failedBuild is a package that could not be built.
type failedBuild struct {
	// cause is the id of the build that failed. Empty before Go 1.24.
	pkg, reason, cause string
}

// text reads a line that is not an event. Older versions of Go print the output of a build like this, after a heading with its id.
func (b *builds) text(from *stream, line []byte) {
	switch heading, ok := strings.CutPrefix(string(line), "# "); {
	case !ok && from.heading != "":
		b.add(from.heading, string(line)+"\n")
	case ok && !strings.HasPrefix(heading, "["): // go vet adds a second heading
		from.heading = bounded(heading)
	}
}

func (b *builds) add(id, output string) {
	if output == "" || strings.HasPrefix(output, "# ") {
		return
	}
	i := slices.IndexFunc(b.kept, func(one *build) bool { return one.id == id })
	if i < 0 {
		if len(b.kept) == maxBuilds {
			b.kept = slices.Delete(b.kept, 0, 1)
		}
		i = len(b.kept)
		one := &build{id: id}
		one.output.restart() // the first error is the one to look at
		b.kept = append(b.kept, one)
	}
	b.kept[i].output.add(output)
}

// explain finds out why a package could not be built. It returns nothing if that is not known.
func (b *builds) explain(f failedBuild) string {
	p := f.pkg
	for _, id := range []string{f.cause, p, p + " [" + p + ".test]", p + "_test [" + p + ".test]"} {
		for _, one := range b.kept {
			if one.id == id {
				one.used = true
				return one.output.text()
			}
		}
	}
	return ""
}

// guess returns the first build output that explains no package yet: it is probably of a package that others import.
func (b *builds) guess() string {
	for _, one := range b.kept {
		if !one.used {
			return one.output.text()
		}
	}
	return ""
}

// await adds a package that could not be built: now if the reason is known, or else at the end.
func (r *Reader) await(f failedBuild) {
	f.reason = cmp.Or(f.reason, "build failed")
	why := r.builds.explain(f)
	switch {
	case why != "":
		r.addPackage(f.pkg, f.reason+": "+why)
	case len(r.unexplained) < results.MaxCases:
		r.unexplained = append(r.unexplained, f)
	default:
		r.more++
	}
}

func (r *Reader) explainBuilds() {
	found := make([]string, len(r.unexplained))
	for i, f := range r.unexplained {
		found[i] = r.builds.explain(f)
	}
	for i, f := range r.unexplained {
		if why := cmp.Or(found[i], r.builds.guess()); why != "" {
			f.reason += ": " + why
		}
		r.addPackage(f.pkg, f.reason)
	}
	for range r.more {
		r.addPackage(unnamed, "build failed")
	}
	r.unexplained, r.more = nil, 0
}

// buildFailure reads the line that says that a package could not be run. The reason is two words.
func buildFailure(line string) (pkg, reason string) {
	rest, ok := strings.CutPrefix(line, "FAIL\t")
	if !ok {
		return "", ""
	}
	for _, reason := range []string{"build failed", "setup failed"} {
		if pkg, ok := strings.CutSuffix(strings.TrimSpace(rest), " ["+reason+"]"); ok {
			return pkg, reason
		}
	}
	return "", ""
}
