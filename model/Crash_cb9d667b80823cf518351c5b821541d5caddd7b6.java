import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;

public class Crash_cb9d667b80823cf518351c5b821541d5caddd7b6 {
    static final String base64Bytes = String.join("", "OQAAAAAAAAB7ImEiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzIsMl0sImRhdGFfb2Zmc2V0cyI6WzAsMTZdfX0AAAAAAAAAAAAAAAAAAAAA");

    public static void main(String[] args) throws Throwable {
        Crash_cb9d667b80823cf518351c5b821541d5caddd7b6.class.getClassLoader().setDefaultAssertionStatus(true);
        try {
            Method fuzzerInitialize = dev.whirlwind.model.fuzz.GuidedFuzz.class.getMethod("fuzzerInitialize");
            fuzzerInitialize.invoke(null);
        } catch (NoSuchMethodException ignored) {
            try {
                Method fuzzerInitialize = dev.whirlwind.model.fuzz.GuidedFuzz.class.getMethod("fuzzerInitialize", String[].class);
                fuzzerInitialize.invoke(null, (Object) args);
            } catch (NoSuchMethodException ignored1) {
            } catch (IllegalAccessException | InvocationTargetException e) {
                e.printStackTrace();
                System.exit(1);
            }
        } catch (IllegalAccessException | InvocationTargetException e) {
            e.printStackTrace();
            System.exit(1);
        }
        byte[] input = java.util.Base64.getDecoder().decode(base64Bytes);
        dev.whirlwind.model.fuzz.GuidedFuzz.fuzzerTestOneInput(input);
    }
}