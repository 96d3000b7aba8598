package app

import "doorward/stats"

// viewSignIn is about who signs in, nil where nobody can.
func (g *generation) viewSignIn() *stats.SignIn {
	if g.signIn == nil {
		return nil
	}
	d := g.desk
	v := &stats.SignIn{
		Users: d.directory.Len(), Sessions: d.sessions.Len(), Events: map[string]int64{},
		Unkept: int64(d.audit.Dropped()),
	}
	for kind, n := range d.audit.Counts() {
		v.Events[string(kind)] = int64(n)
	}
	return v
}
