package docs

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var (
	shellBlock = regexp.MustCompile("(?s)```(?:sh|bash)\n(.*?)```")
	// lostFlag is a line that begins with a flag, and does not go on with the one before.
	lostFlag = regexp.MustCompile(`(?m)[^\\\s]\s*\n\s*(-{1,2}[a-z]\S*)`)
)

// What people copy into a shell is whole: a shell reads it, and no flag stands alone.
func TestTheCommandsOfAPageAreWhole(t *testing.T) {
	found := 0
	for _, page := range pages(t) {
		for _, block := range shellBlock.FindAllStringSubmatch(read(t, page), -1) {
			found++
			check := exec.CommandContext(t.Context(), "bash", "-n")
			check.Stdin = strings.NewReader(block[1])
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%s: %v: %s\n%s", page, err, out, block[1])
			}
			if flag := lostFlag.FindStringSubmatch(block[1]); flag != nil {
				t.Errorf("%s: the line before %s does not end with \\:\n%s", page, flag[1], block[1])
			}
		}
	}
	if found < 50 {
		t.Errorf("only %d blocks were found", found)
	}
}
