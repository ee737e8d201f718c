/* kuraban(1). */
#include "cli/cli.h"

int main(int argc, char **argv)
{
    return cli_main(&cli_kuraban, argc, argv);
}
