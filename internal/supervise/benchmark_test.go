//go:build linux

package supervise

import (
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"strconv"
	"testing"
)

// BenchmarkPassThrough measures how fast output goes from a command through a pipe, the supervisor and another pipe to a
// reader; and the same with cat(1) in the place of the supervisor.
func BenchmarkPassThrough(b *testing.B) {
	const size = 256 << 20
	fast := []string{"head", "-c", strconv.Itoa(size), "/dev/zero"}
	b.Run("runner", func(b *testing.B) {
		encoded, err := json.Marshal(settings{Fast: true})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
		for b.Loop() {
			cmd := exec.CommandContext(b.Context(), "/proc/self/exe", fast...)
			cmd.Env = append(os.Environ(), settingsVariable+"="+string(encoded))
			drain(b, cmd, size)
		}
	})
	b.Run("cat", func(b *testing.B) {
		b.SetBytes(size)
		for b.Loop() {
			read, write, err := os.Pipe()
			if err != nil {
				b.Fatal(err)
			}
			writer := exec.CommandContext(b.Context(), fast[0], fast[1:]...)
			writer.Stdout = write
			if err := writer.Start(); err != nil {
				b.Fatal(err)
			}
			write.Close()
			cat := exec.CommandContext(b.Context(), "cat")
			cat.Stdin = read
			drain(b, cat, size)
			read.Close()
			if err := writer.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// drain runs a command and reads its output.
func drain(b *testing.B, cmd *exec.Cmd, size int64) {
	b.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, stdout, make([]byte, 128<<10)); n != size || err != nil {
		b.Fatalf("%d bytes, %v", n, err)
	}
	if err := cmd.Wait(); err != nil {
		b.Fatal(err)
	}
}
