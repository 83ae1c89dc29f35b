package kubectl

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/testrun-dev/testrun/internal/kubectl/remote"
)

func (a *app) uiCommand() *cobra.Command {
	var port uint16
	var noBrowser, showToken bool
	command := &cobra.Command{
		Use: "ui [RUN]", Short: "Open the page of all runs, or of one",
		Long: `Open the page of the server: of all runs of the namespace, or of one run.

Without --archive it is reached through the cluster, at a port of this machine, until Ctrl-C. The page asks for a token;
--show-token prints that of your kubeconfig, and nothing else.`,
		Example: "  kubectl testrun ui\n  kubectl testrun ui checkout-x7k2p\n  kubectl testrun ui --show-token",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return usage("%s takes the name of one run, or none. %[1]s --help shows examples", cmd.CommandPath())
			}
			return nil
		},
		ValidArgsFunction: first(a.completeRuns(nil)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, names, err := a.with(testRuns, args)
			if err != nil {
				return err
			}
			if showToken {
				token, err := remote.Token(c.rest)
				if err == nil {
					fmt.Fprintln(a.Out, token)
				}
				return err
			}
			return c.ui(cmd.Context(), strings.Join(names, ""), port, !noBrowser)
		},
	}
	command.Flags().Uint16Var(&port, "port", 0, "Port of this machine at which the page is reached; any if left out")
	command.Flags().BoolVar(&noBrowser, "no-browser", false, "Print the address, and open no browser")
	command.Flags().BoolVar(&showToken, "show-token", false, "Print the token of your kubeconfig, to log in with")
	return command
}

// ui says where the page is, and leads there until ctx ends.
func (c *cluster) ui(ctx context.Context, name string, port uint16, browser bool) error {
	if c.archive == "none" {
		return usage("the page is the server's: leave out --archive=none")
	}
	where := c.where()
	where.Port = port
	base, _, lost, err := remote.LeadToServer(ctx, c.remote(), where)
	if err != nil {
		var missing *remote.NotInstalledError
		if errors.As(err, &missing) {
			return fmt.Errorf("there is no page: %w. docs/archive.md says how to install the server", err)
		}
		return err
	}
	address := remote.PageOf(base, c.namespace, name)
	fmt.Fprintln(c.Out, address)
	if _, ok := terminal(c.Out); ok && browser {
		open(context.WithoutCancel(ctx), address) // the browser stays
	}
	if c.archive != "" {
		return nil
	}
	c.note("Log in with a token: kubectl testrun ui --show-token prints yours. The server has made its certificate itself, so your browser asks about it.\n" +
		"The address works until Ctrl-C.")
	for {
		select {
		case <-ctx.Done():
			return &exit{ExitInterrupted, nil}
		case cause := <-lost:
			lost = c.leadAgain(ctx, where, base, cause)
		}
	}
}

// leadAgain leads to the server anew, at the same address, until ctx ends. A browser that breaks off a connection ends the way there, and
// so does a pod that is replaced.
func (c *cluster) leadAgain(ctx context.Context, where remote.Where, base *url.URL, cause error) (lost <-chan error) {
	port, _ := strconv.ParseUint(base.Port(), 10, 16) // it is one that was made
	where.Port = uint16(port)
	pause := shortestPause
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(pause):
		}
		_, _, lost, err := remote.LeadToServer(ctx, c.remote(), where)
		switch {
		case err == nil && pause > shortestPause:
			c.note("The address works again.")
			return lost
		case err == nil:
			return lost
		case pause == shortestPause && ctx.Err() == nil:
			c.note("The way to the server has ended (%v), and cannot be opened again (%v). Trying again until Ctrl-C.", cause, err)
		}
		pause = min(pause+time.Second, longestPause)
	}
}

// open opens the address in a browser, if there is one.
func open(ctx context.Context, address string) {
	program, args := "xdg-open", []string{address}
	switch runtime.GOOS {
	case "darwin":
		program = "open"
	case "windows":
		program, args = "rundll32", []string{"url.dll,FileProtocolHandler", address}
	default:
		if os.Getenv("DISPLAY")+os.Getenv("WAYLAND_DISPLAY") == "" {
			return
		}
	}
	if found, err := exec.LookPath(program); err == nil {
		_ = exec.CommandContext(ctx, found, args...).Start() // the address is printed, too
	}
}
