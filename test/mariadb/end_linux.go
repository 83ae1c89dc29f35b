package mariadb

import "syscall"

// processOf lets a server run as somebody, and end when the tests are killed: SIGTERM has MariaDB shut down.
func processOf(who *syscall.Credential) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGTERM}
}
