package pages

import (
	"fmt"
	"os"
	"testing"

	"github.com/testrun-dev/testrun/test/apiserver"
)

func TestMain(m *testing.M) { os.Exit(apiserver.Run(closing{m})) }

// closing closes what all tests have shared.
type closing struct{ tests *testing.M }

func (c closing) Run() int {
	code := c.tests.Run()
	if err := closeFull(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
