//go:build linux

package program

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/testrun-dev/testrun/internal/push"
	"github.com/testrun-dev/testrun/internal/runner/pushertest"
	"github.com/testrun-dev/testrun/test/points"
)

// flood prints so many MiB of lines, none of which is TAP: there is no "ok".
func flood(mib int) string {
	return fmt.Sprintf(`i=0; while [ $i -lt %d ]; do head -c 1048576 /dev/urandom | base64 -w 120 | tr o 0 | head -c 1048576; i=$((i+1)); done`, mib)
}

func TestMuchOutputIsPushedByteForByte(t *testing.T) {
	server := pushertest.New(t)
	// The server keeps up with a test that does something between its lines. This one waits for it.
	r := startPushing(t, server, fmt.Sprintf(`i=0; while [ $i -lt %d ]; do seq 1 200000 | head -c 1048576; until [ $(cat $TESTRUN_RESULTS/taken 2>/dev/null || echo 0) -ge $i ]; do sleep 0.01; done; i=$((i+1)); done`, *size))
	taken := filepath.Join(r.resultsDir, "taken")
	ended := make(chan struct{})
	go func() {
		for {
			select {
			case <-ended:
				return
			case <-time.After(5 * time.Millisecond):
				_ = os.WriteFile(taken+".new", fmt.Append(nil, server.Taken(push.Output)>>20), 0o666) // the folder may not be there yet
				_ = os.Rename(taken+".new", taken)
			}
		}
	}()
	got := r.end()
	close(ended)
	if got.code != 0 || len(got.stdout) < *size<<20 {
		t.Errorf("exit code %d, %d bytes, stderr %q", got.code, len(got.stdout), got.stderr)
	}
	expectPushed(t, server, got, string(got.stdout))
	t.Logf("%d bytes in %d requests", len(got.stdout), server.Requests())
}

func TestAServerThatDiesAtAnyRequestGetsEverythingInTheEnd(t *testing.T) {
	const script = `echo 1..3; for i in 1 2 3; do seq 1 60000; echo ok $i; done; echo x > ${TESTRUN_ARTIFACTS:-$TESTRUN_RESULTS}/a; sleep 1.2`
	without := startRunner(t, script).end()
	last := 2
	count := points.Of(t, "the connection of a runner dies at a request")
	for n := 1; n <= last; n++ {
		for _, after := range []int64{0, 100, 10_000, 1 << 20} {
			server := pushertest.New(t)
			server.First = func(request int, w http.ResponseWriter, r *http.Request) bool {
				if request == n {
					pushertest.BreakOff(w, r, after)
				}
				return request == n
			}
			got := startPushing(t, server, script).end()
			expectPushed(t, server, got, string(got.stdout))
			expectSameTest(t, got, without)
			if content, _ := server.Stream(push.Artifact, "a"); string(content) != "x\n" {
				t.Errorf("the artifact is %q", content)
			}
			last = max(last, server.Requests()-1)
			count.Tried(t)
			if t.Failed() {
				t.Fatalf("the connection was reset at request %d, after %d bytes", n, after)
			}
		}
	}
}

// A server that takes a request and dies before it answers gets the request again.
func TestWhatIsPushedAgainIsTheSame(t *testing.T) {
	server := pushertest.New(t)
	var seen atomic.Int64
	server.First = func(n int, w http.ResponseWriter, r *http.Request) bool {
		if n%2 == 0 {
			return false
		}
		seen.Add(1)
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		server.Take(r)
		pushertest.BreakOff(w, r, 0)
		return true
	}
	got := startPushing(t, server, `seq 1 100000; echo x > $TESTRUN_ARTIFACTS/a`).end()
	expectPushed(t, server, got, string(got.stdout))
	if seen.Load() < 3 {
		t.Errorf("%d requests were not answered", seen.Load())
	}
}

func TestWhatASlowServerCannotTakeIsAGapAndNothingElse(t *testing.T) {
	server := pushertest.New(t)
	over := make(chan struct{})
	server.First = func(n int, _ http.ResponseWriter, _ *http.Request) bool {
		if n == 3 {
			<-over
		}
		return false
	}
	const mib = 16
	r := startPushing(t, server, `echo 1..2; echo ok 1; `+flood(mib)+`; echo; echo ok 2; : > $TESTRUN_RESULTS/begun; until test -e $TESTRUN_RESULTS/over; do sleep 0.05; done; seq 1 1000`)
	waitFor(t, almostOver(t), "the test has printed all", r.hasBegun)
	close(over)
	if err := os.WriteFile(filepath.Join(r.resultsDir, "over"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got := r.end()
	missing := server.ExpectWhole()
	pushed, gaps := server.Stream(push.Output, "")
	t.Logf("%d of %d bytes were pushed, without %v", len(pushed)-int(missing), len(got.stdout), gaps)
	if missing == 0 || missing > mib<<20 {
		t.Errorf("%d bytes are missing", missing)
	}
	if got.report == nil || got.report.Archive == nil || got.report.Archive.Output != sumOf(got.stdout) || got.report.Archive.Error != "" {
		t.Fatalf("the report says %+v", got.report)
	}
	for i := range pushed {
		if pushed[i] != got.stdout[i] && pushed[i] != 0 {
			t.Fatalf("byte %d is %q, want %q", i, pushed[i], got.stdout[i])
		}
	}
	if cases := listed(server.Cases()); cases != "1 test 1: Passed\n2 test 2: Passed\n" {
		t.Errorf("the cases are %q", cases)
	}
}

func TestAServerThatTakesNoMoreOfAStreamGetsTheOthers(t *testing.T) {
	for kind, want := range map[push.Kind]struct {
		output, cases bool
		artifacts     int
	}{
		push.Output:   {false, true, 2},
		push.Cases:    {true, false, 2},
		push.Artifact: {true, true, 0},
	} {
		server := pushertest.New(t)
		server.First = func(_ int, w http.ResponseWriter, r *http.Request) bool {
			target, err := push.ParseTarget(r.URL)
			if err != nil || target.Stream == nil || target.Stream.Kind != kind {
				return false
			}
			pushertest.Refuse(w, http.StatusRequestEntityTooLarge, "it is too much")
			return true
		}
		got := startPushing(t, server, `echo 1..1; echo ok 1; echo x > $TESTRUN_ARTIFACTS/a; echo y > $TESTRUN_ARTIFACTS/b`).end()
		missing := server.ExpectWhole()
		output, _ := server.Stream(push.Output, "")
		if (len(output) > 0) != want.output || (len(server.Cases()) > 0) != want.cases || len(server.Artifacts()) != want.artifacts || missing == 0 {
			t.Errorf("without %s there are %d bytes of output, %d cases, %d artifacts", kind, len(output), len(server.Cases()), len(server.Artifacts()))
		}
		if got.report == nil || got.report.Archive.Error != "" {
			t.Errorf("%s: the report says %+v", kind, got.report.Archive)
		}
	}
}

func TestATokenThatIsReplacedWhileTheTestRunsIsReadAgain(t *testing.T) {
	server := pushertest.New(t)
	r := startPushing(t, server, `echo one; until test -e $TESTRUN_RESULTS/over; do sleep 0.05; done; echo two`)
	waitFor(t, almostOver(t), "something was pushed", func() bool { return server.Requests() > 0 })
	server.SetToken("the-second-token")
	server.TakeOnly("the-second-token")
	if err := os.WriteFile(filepath.Join(r.resultsDir, "over"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	expectPushed(t, server, r.end(), "one\ntwo\n")
}

// The server takes a little now and then, so that there is always progress. The grace period ends the last push all the same.
func TestATestThatIsToldToStopEndsWithinItsGracePeriod(t *testing.T) {
	for name, script := range map[string]string{
		"while it runs":       `trap 'exit 0' TERM; ` + flood(3) + `; : > $TESTRUN_RESULTS/begun; while :; do sleep 0.05; done`,
		"when it has ended":   flood(3) + `; : > $TESTRUN_RESULTS/begun`,
		"and does not end":    `trap '' TERM; ` + flood(3) + `; : > $TESTRUN_RESULTS/begun; while :; do sleep 0.05; done`,
		"by a signal of ours": `trap 'exit 0' USR1; ` + flood(3) + `; : > $TESTRUN_RESULTS/begun; while :; do sleep 0.05; done`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := pushertest.New(t)
			server.First = func(_ int, _ http.ResponseWriter, r *http.Request) bool {
				for {
					_, err := io.CopyN(io.Discard, r.Body, 100)
					if err != nil {
						<-r.Context().Done()
						return true
					}
					select {
					case <-time.After(20 * time.Millisecond):
					case <-t.Context().Done():
						return true
					}
				}
			}
			r := startPushing(t, server, script, "--grace=2s", "--stop-signal=SIGUSR1")
			signal := syscall.SIGTERM
			if strings.Contains(script, "USR1") {
				signal = syscall.SIGUSR1
			}
			r.signalWhen(signal, "it has begun", func() bool { return r.hasBegun() && server.Requests() > 0 })
			begun := time.Now()
			got := r.end()
			t.Logf("it ended after %s", time.Since(begun).Round(time.Millisecond))
			if got.report == nil || !got.report.Final || got.report.Archive == nil || got.report.Archive.Output != sumOf(got.stdout) ||
				!strings.HasPrefix(got.report.Archive.Error, "not all could be pushed") {
				t.Errorf("the report says %+v", got.report)
			}
		})
	}
}

func TestARunnerThatIsKilledLeavesWhatItHadPushed(t *testing.T) {
	server := pushertest.New(t)
	r := startPushing(t, server, `echo 1..3; echo ok 1; echo ok 2; seq 1 100000; exec sleep 60`)
	r.signalWhen(syscall.SIGKILL, "all that was printed is pushed", func() bool {
		pushed, _ := server.Stream(push.Output, "")
		return bytes.HasSuffix(pushed, []byte("\n100000\n")) && len(server.Cases()) == 1
	})
	got := r.end()
	if pushed, gaps := server.Stream(push.Output, ""); !bytes.Equal(pushed, got.stdout) || len(gaps) > 0 || server.End() != nil {
		t.Errorf("%d bytes were pushed, want %d, without %v", len(pushed), len(got.stdout), gaps)
	}
	if got.report != nil && got.report.Final {
		t.Errorf("the report is %+v", got.report)
	}
}
