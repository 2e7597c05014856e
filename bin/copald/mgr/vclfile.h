/*
 * vclfile.h - which VCL files are opened, and with whose rights.
 *
 * VCL is compiled by a process that is not root (jail.h), but the files may be
 * readable by root alone.  Root's copald opens for it what the administrator
 * trusted when copald was started: plain files named *.vcl, with one name,
 * below the folder of -f's file or the folders that vcl_path had then.
 * Anything else is opened with the compiler's rights: who may use the
 * CLI could otherwise read any file of root's out of a compiler's message.
 *
 *      child that compiles --- path --> deputy (compile.c), root
 *                          <-- fd ----
 */
#ifndef COPAL_VCLFILE_H
#define COPAL_VCLFILE_H

/* main_file: of -f, NULL if there is none.  Before any CLI client came. */
void vclfile_init(const char *main_file);
/*
 * In the child: opens for reading; ask_fd: where the deputy listens, or
 * -1.  -1 with errno.
 */
int vclfile_open(const char *path, int ask_fd);
/* In the deputy: answers one request that has come on fd. */
void vclfile_serve(int fd);

#endif
