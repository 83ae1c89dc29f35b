// Package api tests what the API server refuses, defaults and shows of Tests and TestRuns.
package api

import (
	"os"
	"testing"

	"github.com/testrun-dev/testrun/test/apiserver"
)

func TestMain(m *testing.M) { os.Exit(apiserver.Run(m)) }
