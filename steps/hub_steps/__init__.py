"""The programs that run inside the steps of a hubc plan. The compiler imports only the light declarations here."""
