package archive

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/testrun-dev/testrun/internal/push"
)

func endWith(streams ...push.StreamEnd) push.End { return push.End{Streams: streams} }

// addAll adds chunks as the server does: it lets the gapless prefix grow as soon as it can.
func addAll(t *testing.T, s *Store, data string, chunks ...NewChunk) StreamState {
	t.Helper()
	var state StreamState
	for _, chunk := range chunks {
		state = advance(t, s, data, mustGet(s.AddChunk(t.Context(), chunk))(t))
	}
	return state
}

func advance(t *testing.T, s *Store, data string, state StreamState) StreamState {
	t.Helper()
	for state.Next != nil {
		next := *state.Next
		state = mustGet(s.Advance(t.Context(), state.UID, state.Attempt, state.Stream, next, []byte(data[next.Offset:next.Offset+next.Length])))(t)
	}
	return state
}

// read is what a reader of a stream gets.
func read(t *testing.T, s *Store, owner Owner, stream push.Stream, data string, from int64) string {
	t.Helper()
	var out strings.Builder
	at := from
	for {
		chunks := mustGet(s.Chunks(t.Context(), owner.UID, owner.Attempt, stream, at, 3))(t)
		if len(chunks) == 0 {
			return out.String()
		}
		for _, chunk := range chunks {
			out.WriteString(data[max(at, chunk.Offset) : chunk.Offset+chunk.Length])
			at = chunk.Offset + chunk.Length
		}
	}
}

func TestChunksMakeTheSameStreamInAnyOrder(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			random := rand.New(rand.NewPCG(3, 4))
			data := randomText(random, 1000)
			for n := range 12 {
				owner := ownerOf(n)
				chunks := append(chunksOf(owner, output, data, 70), chunksOf(owner, output, data, 130)...)
				chunks = append(chunks, chunks...)
				random.Shuffle(len(chunks), func(i, j int) { chunks[i], chunks[j] = chunks[j], chunks[i] })
				half := random.IntN(len(chunks))
				addAll(t, s, data, chunks[:half]...)
				states := mustGet(s.SetEnd(t.Context(), owner, endWith(endOf(output, data))))(t)
				advance(t, s, data, states[0])
				addAll(t, s, data, chunks[half:]...)
				state := mustGet(s.Stream(t.Context(), owner.UID, 1, output))(t)
				if !state.Verified || state.Altered || state.Length != 1000 || len(state.Gaps) != 0 {
					t.Fatalf("run %d: the stream is %+v", n, state)
				}
				if read(t, s, owner, output, data, 0) != data || read(t, s, owner, output, data, 333) != data[333:] {
					t.Fatalf("run %d: what is read is not what was pushed", n)
				}
			}
			expectNoChunkWithinAnother(t, s)
			expectEveryBlobNamed(t, s)
		})
	}
}

func randomText(random *rand.Rand, length int) string {
	text := make([]byte, length)
	for i := range text {
		text[i] = byte(random.IntN(256))
	}
	return string(text)
}

func expectNoChunkWithinAnother(t *testing.T, s *Store) {
	t.Helper()
	must(t, s.list(t.Context(), `SELECT a.start, a.length, b.start, b.length FROM chunks a JOIN chunks b
		ON a.stream_id = b.stream_id AND a.start < b.start AND a.start + a.length >= b.start + b.length`, nil, func(scan scanner) error {
		var a, b, c, d int64
		err := scan(&a, &b, &c, &d)
		t.Errorf("the chunk at %d of %d bytes holds the one at %d of %d", a, b, c, d)
		return err
	}))
}

// expectEveryBlobNamed: each blob that was pushed is named by one row, or it is garbage.
func expectEveryBlobNamed(t *testing.T, s *Store) {
	t.Helper()
	var both int
	must(t, s.get(t.Context(), "SELECT count(*) FROM chunks c JOIN garbage g ON g.blob = c.blob", nil, &both))
	if both != 0 {
		t.Errorf("%d blobs are garbage although a row names them", both)
	}
}

func TestAStreamSaysWhatIsMissing(t *testing.T) {
	data := strings.Repeat("0123456789", 10)
	for _, c := range []struct {
		name    string
		missing []int // of chunks of 10 bytes
		end     push.StreamEnd
		want    string
	}{
		{"nothing", nil, endOf(output, data), "100 of 100 [] verified"},
		{"the beginning", []int{0}, endOf(output, data), "0 of 100 [{0 10}]"},
		{"two parts", []int{2, 3, 6}, endOf(output, data), "20 of 100 [{20 20} {60 10}]"},
		{"the end", []int{8, 9}, endOf(output, data), "80 of 100 [{80 20}]"},
		{"everything", []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, endOf(output, data), "0 of 100 [{0 100}]"},
		{"the end's message", []int{9}, push.StreamEnd{}, "90 of -1 []"},
		{"nothing, but it is another text", nil, endOf(output, data[:99]+"x"), "100 of 100 [] altered"},
		{"nothing, and there is too much", nil, endOf(output, data[:95]), "100 of 95 [] altered"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for kind, opened := range both {
				t.Run(kind, func(t *testing.T) {
					t.Parallel()
					s := opened(t)
					owner := ownerOf(1)
					for i, chunk := range chunksOf(owner, output, data, 10) {
						if !contains(c.missing, i) {
							addAll(t, s, data, chunk)
						}
					}
					if c.end.Kind != "" {
						mustGet(s.SetEnd(t.Context(), owner, endWith(c.end)))(t)
					}
					state := mustGet(s.Stream(t.Context(), owner.UID, 1, output))(t)
					got := fmt.Sprintf("%d of %d %v", state.Length, state.Wanted, state.Gaps)
					if state.Verified {
						got += " verified"
					}
					if state.Altered {
						got += " altered"
					}
					if got != c.want {
						t.Errorf("it says %s", got)
					}
				})
			}
		})
	}
}

func contains(numbers []int, number int) bool {
	for _, n := range numbers {
		if n == number {
			return true
		}
	}
	return false
}

func TestWhatIsPushedAgainChangesNothing(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			const data = "0123456789"
			owner := ownerOf(1)
			push := func() {
				addAll(t, s, data, chunksOf(owner, output, data, 4)...)
				mustGet(s.SetEnd(t.Context(), owner, push.End{Streams: []push.StreamEnd{endOf(output, data)}, Missing: []string{"big.bin is too large"}}))(t)
				must(t, s.SetProgress(t.Context(), []AttemptProgress{{owner, push.Progress{Done: 3, Total: 4}}}))
				must(t, s.SetCut(t.Context(), owner, push.Stream{Kind: push.Artifact, Path: "big.bin"}, FromRunner, "it is too large"))
			}
			push()
			before := dump(t, s)
			push()
			expectSame(t, "what is kept", dump(t, s), before)
		})
	}
}

func TestAPushBeforeTheWatchIsKeptForTheRun(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			addAll(t, s, "text", chunksOf(ownerOf(1), output, "text", 4)...)
			run := mustGet(s.RunNamed(t.Context(), "default", "smoke-1"))(t)
			if run.UID != uidOf(1) || run.Phase != "" || run.ResourceVersion != "" || run.Series != "smoke" {
				t.Errorf("before the watch the run is %+v", run)
			}
			must(t, s.Apply(t.Context(), Batch{Runs: []RunState{stateOf(1, 1)}}))
			run = mustGet(s.Run(t.Context(), uidOf(1)))(t)
			if run.Phase != "InProgress" || run.ResourceVersion != "1" {
				t.Errorf("after it the run is %+v", run)
			}
			if state := mustGet(s.Stream(t.Context(), uidOf(1), 1, output))(t); state.Length != 4 {
				t.Errorf("the stream is %+v", state)
			}
		})
	}
}

func TestWhatCannotBeIsRefusedAndChangesNothing(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			addAll(t, s, "text", chunksOf(ownerOf(1), output, "text", 4)...)
			before := dump(t, s)
			other := ownerOf(1)
			other.Namespace = "elsewhere"
			good := chunkOf(ownerOf(1), output, "text", 0, 4)
			for name, call := range map[string]func() error{
				"another namespace's run": func() error {
					_, err := s.AddChunk(t.Context(), chunkOf(other, output, "text", 0, 4))
					return err
				},
				"a chunk with another length": func() error {
					bad := good
					bad.Chunk.Length = 9
					_, err := s.AddChunk(t.Context(), bad)
					return err
				},
				"a case without a number": func() error { return s.AddCases(t.Context(), ownerOf(1), []CaseLine{{}}) },
				"the attempt 0": func() error {
					owner := ownerOf(1)
					owner.Attempt = 0
					return s.AddCases(t.Context(), owner, nil)
				},
				"an end of negative length": func() error {
					_, err := s.SetEnd(t.Context(), ownerOf(1), endWith(push.StreamEnd{Kind: push.Output, Length: -1}))
					return err
				},
				"a state without a version": func() error { return s.Apply(t.Context(), Batch{Runs: []RunState{{Run: Run{UID: "x"}}}}) },
			} {
				if err := call(); !errors.Is(err, ErrInvalid) {
					t.Errorf("%s: %v", name, err)
				}
			}
			expectSame(t, "what is kept", dump(t, s), before)
		})
	}
}

func TestABetterSourceReplacesAWorseOne(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			from := func(source Source, text string) NewChunk {
				chunk := chunkOf(ownerOf(1), output, text, 0, len(text))
				chunk.Source, chunk.Chunk.Key = source, string(source)
				return chunk
			}
			addAll(t, s, "", from(FromKubelet, "from the kubelet"))
			state := addAll(t, s, "", from(FromRunner, "from the runner"))
			if state.Source != FromRunner || state.Length != 15 || state.Stored != 15 {
				t.Errorf("the stream is %+v", state)
			}
			if garbage := mustGet(s.Garbage(t.Context(), 0))(t); fmt.Sprint(garbage) != "[kubelet]" {
				t.Errorf("garbage is %v", garbage)
			}
			if _, err := s.AddChunk(t.Context(), from(FromKubelet, "from the kubelet")); !errors.Is(err, ErrOtherSource) {
				t.Errorf("the kubelet's text is taken after the runner's: %v", err)
			}
			run, all, err := s.Usage(t.Context(), "default", uidOf(1))
			must(t, err)
			if want := (Amount{Length: 15, Size: 10, Chunks: 1}); run != want || all != want {
				t.Errorf("kept are %+v and %+v", run, all)
			}
		})
	}
}

func TestArtifactsAreListedByTheirPaths(t *testing.T) {
	for kind, opened := range both {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			s := opened(t)
			long := strings.Repeat("d/", 600) + "x"
			paths := []string{"b", "a/b", "a", "\xff", "\xfe", long + "1", long + "2", "ü"}
			for _, path := range paths {
				addAll(t, s, "text", chunksOf(ownerOf(1), push.Stream{Kind: push.Artifact, Path: path}, "text", 4)...)
			}
			addAll(t, s, "text", chunksOf(ownerOf(1), output, "text", 4)...)
			seen := map[string]bool{}
			var after push.Stream
			for more := true; more; {
				var page []StreamState
				var err error
				page, more, err = s.Streams(t.Context(), uidOf(1), 1, after, 3)
				must(t, err)
				for _, stream := range page {
					after = stream.Stream
					seen[after.Path] = true
				}
			}
			if len(seen) != len(paths)+1 {
				t.Errorf("%d streams have names of their own: %v", len(seen), seen)
			}
			for _, path := range paths {
				if state, err := s.Stream(t.Context(), uidOf(1), 1, push.Stream{Kind: push.Artifact, Path: path}); err != nil || state.Length != 4 {
					t.Errorf("%.20q is %+v, %v", path, state, err)
				}
			}
			all, more, err := s.Streams(t.Context(), uidOf(1), 0, push.Stream{}, 0)
			must(t, err)
			if len(all) != len(paths)+1 || more {
				t.Errorf("of all attempts there are %d", len(all))
			}
		})
	}
}
