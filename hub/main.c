/* kuraban-hub(8). */
#include "hub/cli/hub.h"

int main(int argc, char **argv)
{
    return cli_main(&hub_program, argc, argv);
}
