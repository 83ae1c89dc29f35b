//go:build linux

package program

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/runner/pushertest"
)

func TestTheFilesThatATestLeavesArePushed(t *testing.T) {
	tests := map[string]struct {
		script  string
		files   string
		missing string
	}{
		"some":                        {`echo a > a; mkdir -p x/y; echo b > x/y/b; : > empty`, "a=a x/y/b=b", ""},
		"names with strange signs":    {`echo a > 'a b?c#d%2F.txt'`, "a b?c#d%2F.txt=a", ""},
		"a name that is not UTF-8":    {`echo a > $(printf 'a\377')`, "", "the artifact a�: its path is too long, or is not UTF-8, or all paths together are too long"},
		"a link out of the folder":    {`ln -s /etc/passwd a; ln -s / b`, "", "the artifact a: openat a: path escapes from parent; the artifact b: openat b: path escapes from parent"},
		"a link in the folder":        {`echo a > a; ln -s a b`, "a=a b=a", ""},
		"a link to a folder":          {`mkdir x; echo a > x/a; ln -s x y`, "x/a=a", "the artifact y: it is no ordinary file"},
		"a pipe":                      {`mkfifo a; echo b > b`, "b=b", "the artifact a: it is no ordinary file"},
		"one that is too large":       {`truncate -s 65M a; echo b > b`, "b=b", "the artifact a: it has 68157440 bytes, and may have 67108864, and all together 268435456"},
		"the folder is a link":        {`cd /; rmdir $TESTRUN_ARTIFACTS; ln -s /etc $TESTRUN_ARTIFACTS`, "", "the artifacts: DIR is no folder any more"},
		"the folder is gone":          {`cd /; rmdir $TESTRUN_ARTIFACTS`, "", ""},
		"too many folders in another": {`i=0; while [ $i -lt 60 ]; do mkdir d; cd d; i=$((i+1)); done; echo a > a`, "", "the artifacts in the folder " + strings.Repeat("d/", 50) + "d: folders nest deeper than 50"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := pushertest.New(t)
			got := startPushing(t, server, `cd $TESTRUN_ARTIFACTS; `+test.script).end()
			if got.code != 0 || got.report.Archive.Error != "" {
				t.Fatalf("exit code %d, stderr %q, %+v", got.code, got.stderr, got.report.Archive)
			}
			server.ExpectWhole()
			var files []string
			for _, path := range server.Artifacts() {
				content, _ := server.Stream(push.Artifact, path)
				files = append(files, path+"="+strings.TrimSpace(string(content)))
			}
			if text := strings.Join(files, " "); text != test.files {
				t.Errorf("%q is pushed, want %q", text, test.files)
			}
			missing := strings.Join(server.End().Missing, "; ")
			if i := strings.Index(missing, "/tmp/testrun-"); i >= 0 {
				dir, rest, _ := strings.Cut(missing[i:], " ")
				missing = strings.Replace(missing, dir+" "+rest, "DIR "+rest, 1)
			}
			if missing != test.missing {
				t.Errorf("%q is missing, want %q", missing, test.missing)
			}
		})
	}
}

func TestFilesBeyondTheLimitAreNamedAsMissing(t *testing.T) {
	server := pushertest.New(t)
	got := startPushing(t, server, `cd $TESTRUN_ARTIFACTS; i=0; while [ $i -lt 1200 ]; do echo $i > f$i; i=$((i+1)); done`).end()
	if got.report.Archive.Error != "" {
		t.Fatalf("%+v", got.report.Archive)
	}
	server.ExpectWhole()
	end := server.End()
	if files := server.Artifacts(); len(files) != push.MaxStreams-2 || len(end.Streams) != push.MaxStreams {
		t.Errorf("%d files are pushed, the end has %d streams", len(files), len(end.Streams))
	}
	if n := len(end.Missing); n != push.MaxMissing || !slices.Contains(end.Missing, fmt.Sprintf("and %d more", 200-(n-1))) {
		t.Errorf("%d are missing: %q", n, end.Missing)
	}
}

func TestALargeFileIsPushedInParts(t *testing.T) {
	server := pushertest.New(t)
	got := startPushing(t, server, `head -c 3000000 /dev/urandom > $TESTRUN_ARTIFACTS/a; cksum < $TESTRUN_ARTIFACTS/a`).end()
	content, gaps := server.Stream(push.Artifact, "a")
	if server.ExpectWhole() != 0 || len(content) != 3_000_000 || len(gaps) > 0 || got.code != 0 {
		t.Errorf("%d bytes are pushed, without %v", len(content), gaps)
	}
}
