package kit

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
)

// AtATime reads the flags of the tests, and has so many tests run at a time unless -parallel says otherwise: most of what they do is wait.
func AtATime(tests int) {
	flag.Parse()
	isSet := false
	flag.Visit(func(f *flag.Flag) { isSet = isSet || f.Name == "test.parallel" })
	if !isSet {
		_ = flag.Set("test.parallel", strconv.Itoa(tests)) // the flag exists
	}
}

// Program is a program of this repository, which is built as it is shipped when it is needed first.
type Program struct {
	// Name is that of its folder below cmd/.
	Name string
	// LinkerFlags are those of -ldflags.
	LinkerFlags string

	once   sync.Once
	folder string
	err    error
}

// Path builds the program, and says where it is.
func (p *Program) Path() (string, error) {
	p.once.Do(p.build)
	return filepath.Join(p.folder, p.Name), p.err
}

func (p *Program) build() {
	if p.folder, p.err = os.MkdirTemp("", p.Name); p.err != nil {
		return
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-trimpath", "-ldflags="+p.LinkerFlags, "-o", filepath.Join(p.folder, p.Name),
		"github.com/testrun-dev/testrun/cmd/"+p.Name)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		p.err = fmt.Errorf("building %s: %w\n%s", p.Name, err, out)
	}
}

// Remove removes what was built.
func (p *Program) Remove() {
	if p.folder != "" {
		_ = os.RemoveAll(p.folder) // it is in the folder for temporary files
	}
}
