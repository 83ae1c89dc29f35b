package pages

import (
	"os"
	"testing"

	"github.com/testrun-dev/testrun/test/apiserver"
)

func TestMain(m *testing.M) { os.Exit(apiserver.Run(m)) }
