package postgres

import "syscall"

// processOf lets a server run as somebody, and end when the tests are killed: SIGINT is what PostgreSQL calls a fast shutdown.
func processOf(who *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGINT}
}
